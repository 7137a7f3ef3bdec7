//go:build !linux

package main

import "errors"

func run([]string) error {
	return errors.New("this is snug's helper inside a Linux guest: it does nothing elsewhere")
}
