//go:build !amd64

package qemu

import "errors"

// MeasureTSC measures the frequency of the host's time stamp counter, in kHz.
func MeasureTSC() (int, error) {
	return 0, errors.New("only x86-64 has a time stamp counter")
}
