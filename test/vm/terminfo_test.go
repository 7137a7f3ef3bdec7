//go:build linux

package vm

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	user "github.com/snugvm/snug/test/rig"
)

func TestAPrivateTerminalDescriptionIsDelivered(t *testing.T) {
	user.Need(t, "infocmp", "ncurses-bin")
	tic := user.Need(t, "tic", "ncurses-bin")
	r := newRig(t)
	source := filepath.Join(r.Root, "private.ti")
	user.Must(t, os.WriteFile(source, []byte("snug-private|known at home only,\n\tcols#77, bel=PRIVATE, use=vt100,\n"), 0o644))
	compile := exec.Command(tic, "-x", "-o", filepath.Join(r.Home, ".terminfo"), source)
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("tic: %v\n%s", err, out)
	}
	c := r.Console(r.with("TERM=snug-private").run("--", "sh", "-c", "echo term=$TERM bell=$(tput bel); infocmp -1 >guest.ti"))
	c.Expect("term=snug-private bell=PRIVATE")
	if status := c.Wait(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	host := exec.Command("infocmp", "-1", "snug-private")
	host.Env = r.Env
	want, err := host.Output()
	user.Must(t, err)
	if got := withoutComments(r.Read("guest.ti")); got != withoutComments(string(want)) {
		t.Errorf("the guest knows:\n%s\nthe host:\n%s", got, want)
	}
}

// withoutComments drops where infocmp found the entry.
func withoutComments(s string) string {
	var kept []string
	for line := range strings.SplitSeq(s, "\n") {
		if !strings.HasPrefix(line, "#") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

func TestAnUnknownTerminalIsReplacedAndSaid(t *testing.T) {
	r := newRig(t)
	c := r.Console(r.with("TERM=snug-unknown").run("--", "sh", "-c", "echo term=$TERM; tput cols"))
	c.Expect(`"snug-unknown"`)
	c.Expect("TERM=xterm-256color is used")
	c.Expect("term=xterm-256color\r\n137\r\n")
	if status := c.Wait(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}
