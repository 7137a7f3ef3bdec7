package state

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// lastKept is how long it is remembered what was used in a folder.
const lastKept = 90 * 24 * time.Hour

// LastUsed is what was last used in a folder, as NoteUsed was told; "" if that is
// not known.
func (d Dirs) LastUsed(folder string) string {
	b, err := os.ReadFile(d.last(folder))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// NoteUsed remembers what was used in a folder: MACHINE or MACHINE/SESSION. That
// is a convenience: where it cannot be written, nothing is remembered.
func (d Dirs) NoteUsed(folder, what string) {
	name := d.last(folder)
	if d.LastUsed(folder) == what || os.MkdirAll(filepath.Dir(name), 0o700) != nil {
		return
	}
	_ = replaceFile(name, []byte(what+"\n"))
	old, _ := os.ReadDir(filepath.Dir(name))
	for _, entry := range old {
		if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > lastKept {
			_ = os.Remove(filepath.Join(filepath.Dir(name), entry.Name()))
		}
	}
}

// last is the file that remembers of a folder, whose name says nothing of it.
func (d Dirs) last(folder string) string {
	sum := sha256.Sum256([]byte(folder))
	return filepath.Join(d.State, "last", hex.EncodeToString(sum[:8]))
}
