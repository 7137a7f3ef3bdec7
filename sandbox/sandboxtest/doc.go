// Package sandboxtest is the conformance suite that every sandbox runs, and
// the in-process sandbox that it is itself tested with.
package sandboxtest
