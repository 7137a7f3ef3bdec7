// Package keeper is the host's process behind one machine: it holds the link
// to the agent, the sessions, and the viewers that look at them.
//
// A Keeper is the near side of its agent's sessions and the far side of its
// viewers' (internal/wire). It knows no sandbox: whoever makes one says how
// its machine comes up.
package keeper
