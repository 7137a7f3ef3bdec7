// Package guest is the inside of a machine of the double: process 1, and the agent that runs execs.
//
// A machine is a PID and a mount namespace instead of a microVM. What matters is the same: one agent, a goroutine per
// connection and no lock; one bundle, whose config.json is truncated and then written; real crun. Which exec writes
// config.json when is what the generations of smolvm differ in: see logic.go.
package guest
