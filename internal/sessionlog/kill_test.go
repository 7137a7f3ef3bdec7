package sessionlog

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// childFolder names the variable by which the test's binary is told to be a writer.
const childFolder = "SESSIONLOG_TEST_FOLDER"

// line is what a writer writes at a time: each can be told from the others.
func line(i int) string { return fmt.Sprintf("line %d %s\n", i, strings.Repeat("x", i%997)) }

// writeUntilKilled writes lines, and after each says on stdout that the call has returned.
func writeUntilKilled(dir string) {
	l, err := Create(dir, Options{SegmentSize: 50_000, Limit: 500_000}, nil, Checkpoint{})
	for i := 0; err == nil; i++ {
		if err = l.Output([]byte(line(i))); err != nil {
			break
		}
		fmt.Println(i)
		if l.Due() {
			err = l.Checkpoint(Checkpoint{Offset: l.Offset()})
		}
	}
	panic(err)
}

func TestWhatIsWrittenSurvivesTheKillOfTheWriter(t *testing.T) {
	for _, after := range []int{1, 100, 777, 2000} {
		dir := filepath.Join(t.TempDir(), "log")
		child := exec.Command(os.Args[0], "-test.run=^$")
		child.Env = append(os.Environ(), childFolder+"="+dir)
		child.Stderr = os.Stderr
		stdout, err := child.StdoutPipe()
		must(t, err)
		must(t, child.Start())
		last := -1
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			if last, err = strconv.Atoi(lines.Text()); err != nil {
				t.Error(err)
			}
			if last == after {
				must(t, child.Process.Kill())
			}
		}
		_ = child.Wait()
		l, s := reopen(t, dir, Options{})
		records := read(t, dir)
		first := records[0].Event.(Checkpoint)
		var all []byte
		i := 0
		for ; uint64(len(all)) < s.Offset; i++ {
			all = append(all, line(i)...)
		}
		if uint64(len(all)) != s.Offset || i <= last {
			t.Errorf("%d bytes, of %d lines; the writer had written %d", s.Offset, i, last+1)
		}
		if !bytes.Equal(output(records), all[first.Offset:]) {
			t.Error("the output is not what was written")
		}
		must(t, l.Close())
	}
}
