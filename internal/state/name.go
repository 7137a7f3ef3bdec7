package state

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// maxName bounds a machine's name, in bytes: it is part of socket paths.
const maxName = 32

// nobody is the base of a name where a folder's own name has nothing to give.
const nobody = "snug"

// CheckName tells whether a user may give a machine this name: 1 to 32 bytes of
// a-z, 0-9, '.', '_' and '-', the first a letter or a digit.
func CheckName(name string) error {
	const rule = "use 1 to 32 of a-z, 0-9, '.', '_', '-', beginning with a letter or a digit"
	switch {
	case name == "":
		return fmt.Errorf("a machine's name cannot be empty: %s", rule)
	case len(name) > maxName:
		return fmt.Errorf("machine name %.40q is longer than %d bytes: %s", name, maxName, rule)
	case !alphanumeric(name[0]):
		return fmt.Errorf("machine name %q begins with %q: %s", name, name[:1], rule)
	}
	for _, r := range name {
		if r > 0x7f || !nameByte(byte(r)) {
			return fmt.Errorf("machine name %q has %q in it: %s", name, r, rule)
		}
	}
	return nil
}

// maxToolName bounds a ToolName, in bytes.
const maxToolName = 48

// ToolName is the name of a machine behind another tool, made of what people
// call it, TOOL:NAME. Where that is no name by itself, or does not tell the
// machine from all others (plain), its id follows. No user's name has a colon in
// it.
func ToolName(called, id string, plain bool) string {
	name := strings.Map(func(r rune) rune {
		if r <= 0x7f && toolByte(byte(r)) {
			return r
		}
		return '-'
	}, called)
	tool, rest, named := strings.Cut(name, ":")
	if plain && named && name == called && len(name) <= maxToolName {
		return name
	}
	name = tool + ":" + strings.TrimLeft(rest, "-") // of a path
	return name[:min(len(name), maxToolName-len(id)-1)] + "+" + id
}

// checkToolName tells whether name may be one by ToolName.
func checkToolName(name string) bool {
	tool, rest, ok := strings.Cut(name, ":")
	if !ok || len(name) > maxToolName || !alphanumeric(name[0]) || rest == "" {
		return false
	}
	for i := range len(tool) {
		if !nameByte(tool[i]) {
			return false
		}
	}
	for i := range len(rest) {
		if !toolByte(rest[i]) && rest[i] != '+' {
			return false
		}
	}
	return true
}

// toolByte is a byte of a tool's own names, or the colon between two of them.
func toolByte(c byte) bool { return nameByte(c) || 'A' <= c && c <= 'Z' || c == ':' || c == '@' }

// FolderNames are the names of machines around a folder: FOLDER-1, FOLDER-2, …
func FolderNames(folder string) func(n int) string {
	return func(n int) string { return numbered(folder, n) }
}

// ToolNames are the names of machines that a tool makes for us.
func ToolNames(called string) func(n int) string {
	return func(n int) string { return ToolName(called, strconv.Itoa(n), false) }
}

// numbered is the n-th name of machines around a folder: FOLDER-N, at most
// maxName bytes, a name by CheckName whatever the folder is called.
func numbered(folder string, n int) string {
	suffix := "-" + strconv.Itoa(n)
	base := baseName(folder)
	if room := maxName - len(suffix); len(base) > room {
		base = strings.TrimRight(base[:room], "._-")
	}
	return base + suffix
}

// baseName is a folder's own name in the letters of a machine's: lower-case,
// each run of foreign characters one dash.
func baseName(folder string) string {
	var b strings.Builder
	dash := false
	for _, r := range strings.ToLower(filepath.Base(folder)) {
		if r > 0x7f || !nameByte(byte(r)) {
			dash = true
			continue
		}
		if dash {
			b.WriteByte('-')
			dash = false
		}
		b.WriteRune(r)
	}
	if base := strings.Trim(b.String(), "._-"); base != "" {
		return base
	}
	return nobody
}

func nameByte(c byte) bool {
	return alphanumeric(c) || c == '.' || c == '_' || c == '-'
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
}
