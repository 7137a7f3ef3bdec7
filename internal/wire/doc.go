// Package wire is the protocol between a viewer and a keeper, and between a
// keeper and an agent: SSH (RFC 4254) over any byte stream, with one
// extension that makes a session outlive its connection.
//
// The extension gives every stream of a session an offset and lets the
// receiver say how far it is safe (ack@snug). A session that is opened again
// on a new connection carries its offsets, so a torn connection neither loses
// nor doubles a byte. docs/wire.md is the specification.
//
// Near and far are the two halves of a session: the near side asks for a
// program (Session), the far side has it (ServeChannel). A viewer is near to
// a keeper, a keeper is near to an agent.
package wire
