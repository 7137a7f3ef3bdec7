package guestbin

import (
	"bytes"
	"strings"
	"testing"
	"testing/fstest"
)

func TestAgentIsTheEmbeddedFile(t *testing.T) {
	files := fstest.MapFS{"bin/snug-agent-linux-arm64": {Data: []byte("\x7fELF")}}
	got, err := agent(files, "arm64")
	if err != nil || string(got) != "\x7fELF" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestMissingAgentNamesTheMakeLine(t *testing.T) {
	for _, arch := range []string{"amd64", "s390x", "../README", ""} {
		_, err := agent(fstest.MapFS{}, arch)
		if err == nil || !strings.Contains(err.Error(), "make build") {
			t.Errorf("%q: got %v, want an error that names 'make build'", arch, err)
		}
	}
}

// Holds for what is embedded, on a clean clone nothing.
func TestEmbeddedAgentsAreELF(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		if b, err := Agent(arch); err == nil && !bytes.HasPrefix(b, []byte("\x7fELF")) {
			t.Errorf("the agent for %s is no ELF file", arch)
		}
	}
}
