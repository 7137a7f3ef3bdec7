//go:build !linux

package command

import (
	"context"
	"io"
)

// Local is there on Linux only.
type Local struct{}

// StartLocal fails: the agent, which runs the tool then, is a program of Linux.
func StartLocal(_ context.Context, cfg LocalConfig) (*Local, error) {
	return nil, &Error{Kind: Failed, Tool: cfg.Plan.Tool, Words: "snug works without an agent in the machine on Linux hosts only",
		Remedy: "run the tool without snug"}
}

// Target is empty.
func (*Local) Target() string { return "" }

// Dial is never called.
func (*Local) Dial(context.Context) (io.ReadWriteCloser, error) { return nil, io.EOF }

// Wait is never called.
func (*Local) Wait() error { return nil }

// Kill is never called.
func (*Local) Kill() error { return nil }
