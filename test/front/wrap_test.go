//go:build linux

package front

import (
	"strings"
	"testing"

	"github.com/snugvm/snug/test/rig"
)

// wrapsAnyTool goes in front of the box as if its tool were not known.
func wrapsAnyTool(f *front) {
	prefix := strings.Join(f.box.Prefix(false, ""), " ")
	got := f.Pipe(f.Command("wrap", "--exec", prefix, "--", "sh", "-c", "cat; echo apart >&2; exit 42"), "input")
	if want := (rig.Ended{Status: 42, Stdout: "input", Stderr: "apart\n"}); got != want {
		f.T.Errorf("on pipes: %+v, want %+v", got, want)
	}
	c := f.Console(f.Command("wrap", "--escape", "none", "--exec", prefix, "--", f.probe, "watch"))
	c.Expect(rig.SizeLine(rig.Size))
	c.Send("\r~.\r\x04") // which would end it
	if status := c.Wait(); status != 0 {
		f.T.Errorf("exit status %d: %s", status, c.Output())
	}
	if got := f.Pipe(f.Command(append([]string{"wrap", "-T", "--"}, f.onTerminal("sh", "-c", "test ! -t 0")...)...), ""); got != (rig.Ended{}) {
		f.T.Errorf("with -T: %+v", got)
	}
}

func TestACommandLineThatIsNotUnderstoodIsAnsweredWithWhatWouldBe(t *testing.T) {
	needTools(t)
	r := newRig(t, nil)
	for line, say := range map[string]string{
		"docker exec -it":                  "CONTAINER PROGRAM",
		"docker exec -it web":              "CONTAINER PROGRAM",
		"docker exec --no-such-flag web x": "docker [-H HOST|-c CONTEXT] exec",
		"docker exec -d web true":          "-d",
		"docker compose up":                "docker",
		"kubectl exec pod":                 "kubectl exec",
		"smolvm machine exec -it":          "smolvm machine exec [-i] [-t]",
		"wrap -- mytool exec -i box":       "--exec 'mytool exec -i BOX' -- PROGRAM",
		"wrap":                             "docker",
	} {
		got := r.Pipe(r.Command(strings.Fields(line)...), "")
		if got.Status != 125 || got.Stdout != "" || !rig.OneLine(got.Stderr) || !strings.Contains(got.Stderr, say) {
			t.Errorf("%q: %+v, want 125 and one line with %q", line, got, say)
		}
	}
}
