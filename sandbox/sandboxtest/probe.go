package sandboxtest

import (
	"crypto/sha256"
	"io"
	"math/rand/v2"
)

// Sequence returns the n bytes that the probe knows by the same seed. They
// are random: every value comes, and no part equals another.
func Sequence(seed string, n int) []byte {
	b := make([]byte, n)
	_, _ = io.ReadFull(rand.NewChaCha8(sha256.Sum256([]byte(seed))), b) // never fails
	return b
}
