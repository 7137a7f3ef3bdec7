// Package command puts snug into a sandbox that another tool runs: smolvm,
// docker, kubectl, ssh and any other that has an "exec -i".
//
// One table says what each tool's command lines mean (table.go). Parse reads a
// command line by it and returns a Plan: where the program is to run, and what of
// it travels in-band. Start brings snug's own agent up there, over one exec whose
// stdin and stdout then are the link, and returns a sandbox.Machine.
//
// # Bring-up
//
// The exec runs a shell that reads one line of script from its stdin (script.go)
// and answers with lines that begin with "@", a nonce and a blank; whatever else
// comes is noise. The script looks for the agent, or takes it in chunks, nothing
// following a chunk before its answer, and becomes "snug-agent enter", which
// answers hello (internal/relay). Up to there nothing has been started for the
// user, so all of it is tried again when a tool loses its way.
//
// # A machine that is not ours
//
// The death of the tool's client, or of the network under it, is not the
// machine's. Wait therefore goes on until Kill, or until Dial finds that the tool
// denies the machine. Kill ends the agent, with its programs, and leaves the
// machine as it is, unless Start has made it.
package command
