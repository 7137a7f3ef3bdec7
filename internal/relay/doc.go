// Package relay is the agent's way into a sandbox that is somebody else's, where
// the only door is a tool's "exec -i".
//
// The exec comes and goes, the agent must not. So there are two processes in the
// sandbox: Serve keeps the programs, in a session of its own, behind a unix
// socket in a folder; Enter lives in the exec and only carries bytes to it. To
// the agent the successive relays are one link that outlives its hosts, as a
// virtio-serial port does.
//
// Enter also installs the binary, which the shell at the other end of the exec
// has left in a file of a fresh name: what needs care (owners, modes, links,
// renames) is done here and not in that shell.
package relay

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/snugvm/snug/internal/agent"
)

// Hello is what the host tells Enter: one line of JSON, the first that it reads.
// It never stands on a command line, which everybody in the sandbox can read.
type Hello struct {
	// Nonce begins the answer, so that nothing else is taken for it.
	Nonce string `json:"nonce"`
	// Hash is the SHA-256 in hex that the agent's binary must have.
	Hash string `json:"hash"`
	// ID names the agent: FolderID of the config's mark.
	ID string `json:"id"`
	// Config is the agent's, if it is not up yet.
	Config *agent.Config `json:"config,omitempty"`
	// End asks for the agent's end instead of a relay to it.
	End bool `json:"end,omitempty"`
}

// Answers to a Hello. A failure's kind and text follow it.
const (
	AnswerHello = "hello" // what follows the line is the link
	AnswerEnded = "ended" // there is no agent any more
	AnswerFail  = "fail"
)

// Kinds of failure, by what the host can do about it.
const (
	FailBinary = "binary" // send the binary again
	FailFolder = "folder" // try another folder
	FailHello  = "hello"  // the words of the hello were not ours
)

// Ended is the last line on stderr of a relay whose agent has come to its end,
// which the end of the stream does not tell.
const Ended = "snug-agent: the agent has ended"

// shortHash is how much of a hash stands in a file's name.
const shortHash = 16

// AgentFile is the name of the binary with that hash, in its user's folder.
func AgentFile(hash string) string { return "agent-" + ShortHash(hash) }

// ShortHash is the part of a hash that stands in a name.
func ShortHash(hash string) string { return hash[:min(len(hash), shortHash)] }

// FolderID names an agent by its mark without giving the mark away. So two hosts
// that reach one sandbox have an agent each, and neither is in the other's way.
func FolderID(mark []byte) string {
	sum := sha256.Sum256(append([]byte("snug agent's folder "), mark...))
	return hex.EncodeToString(sum[:])[:shortHash]
}

// UserFolder is the folder of a user's agents and of their binary, in a folder
// that all users may share. On a host that is its own sandbox, snug's other
// folders lie beside it.
func UserFolder(uid int) string { return "snug-agent-" + strconv.Itoa(uid) }

// Upload is the name of the file in which the binary arrives.
const Upload = ".snug-"

// Line makes an answer: a line that begins with "@", the nonce and a blank.
func Line(nonce string, words ...string) string {
	text := strings.NewReplacer("\n", " ", "\r", " ").Replace(strings.Join(words, " "))
	return "@" + nonce + " " + text + "\n"
}
