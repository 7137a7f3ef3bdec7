package wire

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

func TestStartCarriesAnyArgumentsUnharmed(t *testing.T) {
	for _, args := range [][]string{
		{"sh"}, {"sh", "-c", "echo \"$1\" | cat; exit"}, {""}, {"a", "", "", "b"}, {"\x00\xff\n", "ü"},
		{strings.Repeat("x", 128<<10)}, slices.Repeat([]string{"-"}, 10000),
	} {
		b, err := marshalStart("/some/dir", args)
		must(t, err)
		dir, got, err := parseStart(b)
		if err != nil || dir != "/some/dir" || !slices.Equal(got, args) {
			t.Errorf("%.40q came as %q, %.40q, %v", args, dir, got, err)
		}
	}
}

func TestStartIsBounded(t *testing.T) {
	fits := maxStart - 2*4
	if _, err := marshalStart("", []string{strings.Repeat("x", fits)}); err != nil {
		t.Errorf("%d bytes: %v", maxStart, err)
	}
	_, err := marshalStart("", []string{strings.Repeat("x", fits+1)})
	var failure *Failure
	if !errors.As(err, &failure) || failure.Status != 126 || !strings.Contains(failure.Message, "argument list too long") {
		t.Errorf("one byte more: %v", err)
	}
}

func TestMalformedStart(t *testing.T) {
	for name, b := range map[string][]byte{
		"empty":                         nil,
		"without a program":             appendString(nil, "/dir"),
		"a length that is cut":          {0, 0, 0},
		"a string that is cut":          {0, 0, 0, 2, 'a'},
		"an argument that is cut":       append(appendString(nil, ""), 0, 0, 0, 9, 'a'),
		"a length of 4 GiB":             {0xff, 0xff, 0xff, 0xff},
		"more than a start may be long": appendString(appendString(nil, ""), strings.Repeat("x", maxStart)),
	} {
		if dir, args, err := parseStart(b); err == nil {
			t.Errorf("%s: taken for %q %.40q", name, dir, args)
		}
	}
}

func FuzzParseStart(f *testing.F) {
	ok, _ := marshalStart("/d", []string{"sh", "-c", ""})
	f.Add(ok)
	f.Add([]byte{0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		dir, args, err := parseStart(b)
		if err != nil {
			return
		}
		if again, err := marshalStart(dir, args); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x is %q %q, which is said as %x (%v)", b, dir, args, again, err)
		}
	})
}

func TestWindowSizes(t *testing.T) {
	for _, tt := range []struct {
		cols, rows, x, y uint32
		want             Size
		ok               bool
	}{
		{137, 41, 1370, 820, Size{41, 137, 1370, 820}, true},
		{137, 41, 0, 0, Size{41, 137, 0, 0}, true},
		{0, 0, 0, 0, Size{}, true}, // known, and never applied
		{65535, 65535, 65535, 65535, Size{65535, 65535, 65535, 65535}, true},
		{80, 24, 65536, 100, Size{24, 80, 0, 0}, true}, // pixels that no winsize holds are unknown
		{80, 24, 100, 1 << 31, Size{24, 80, 0, 0}, true},
		{65536, 24, 0, 0, Size{}, false},
		{80, 1 << 31, 0, 0, Size{}, false},
	} {
		got, err := parseWindow(ssh.Marshal(windowPayload{tt.cols, tt.rows, tt.x, tt.y}))
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("%dx%d of %dx%d: %+v, %v; want %+v", tt.cols, tt.rows, tt.x, tt.y, got, err, tt.want)
		}
	}
	for size, empty := range map[Size]bool{{}: true, {Rows: 1}: true, {Cols: 1}: true, {Rows: 1, Cols: 1}: false} {
		if size.Empty() != empty {
			t.Errorf("%+v empty: %t", size, size.Empty())
		}
	}
}

func FuzzParseWindow(f *testing.F) {
	f.Add(ssh.Marshal(windowPayload{80, 24, 800, 480}))
	f.Add(ssh.Marshal(windowPayload{80, 24, 1 << 30, 480}))
	f.Fuzz(func(t *testing.T, b []byte) {
		size, err := parseWindow(b)
		if err != nil {
			if size != (Size{}) {
				t.Errorf("%x is refused, and %+v", b, size)
			}
			return
		}
		if again, err := parseWindow(ssh.Marshal(newWindowPayload(size))); err != nil || again != size {
			t.Errorf("%x is %+v, then %+v, %v", b, size, again, err)
		}
	})
}

func TestPtyIsBounded(t *testing.T) {
	size := Size{41, 137, 1370, 820}
	for _, tt := range []struct {
		pty Pty
		ok  bool
	}{
		{Pty{Term: "xterm-256color", Size: size, Modes: []byte{53, 0, 0, 0, 1, 0}}, true},
		{Pty{Modes: []byte{}}, true},
		{Pty{Term: strings.Repeat("x", maxName), Modes: make([]byte, maxText)}, true},
		{Pty{Term: strings.Repeat("x", maxName+1)}, false},
		{Pty{Modes: make([]byte, maxText+1)}, false},
	} {
		got, err := parsePty(marshalPty(&tt.pty))
		if (err == nil) != tt.ok || tt.ok && !reflect.DeepEqual(*got, tt.pty) {
			t.Errorf("%.60v came as %.60v, %v", tt.pty, got, err)
		}
	}
}

func FuzzParsePty(f *testing.F) {
	f.Add(marshalPty(&Pty{Term: "xterm", Size: Size{24, 80, 0, 0}, Modes: []byte{0}}))
	f.Add(ssh.Marshal(ptyPayload{"", 1, 2, 3, 1 << 20, ""}))
	f.Fuzz(func(t *testing.T, b []byte) {
		pty, err := parsePty(b)
		if err != nil {
			return
		}
		if len(pty.Term) > maxName || len(pty.Modes) > maxText {
			t.Errorf("%d bytes of TERM, %d of modes", len(pty.Term), len(pty.Modes))
		}
		if again, err := parsePty(marshalPty(pty)); err != nil || !reflect.DeepEqual(again, pty) {
			t.Errorf("%x is %+v, then %+v, %v", b, pty, again, err)
		}
	})
}

func TestOffsetsOfStreams(t *testing.T) {
	for stream := range uint32(6) {
		got, offset, err := parseOffset(ssh.Marshal(offsetPayload{stream, 1<<64 - 1}))
		if ok := stream < uint32(streams); (err == nil) != ok || ok && (uint32(got) != stream || offset != 1<<64-1) {
			t.Errorf("stream %d: %d, %d, %v", stream, got, offset, err)
		}
	}
}

func FuzzParseOffset(f *testing.F) {
	f.Add(ssh.Marshal(offsetPayload{1, 1 << 40}))
	f.Add(make([]byte, 13))
	f.Fuzz(func(t *testing.T, b []byte) {
		stream, offset, err := parseOffset(b)
		if err != nil {
			return
		}
		if again := ssh.Marshal(offsetPayload{uint32(stream), offset}); stream >= streams || !bytes.Equal(again, b) {
			t.Errorf("%x is stream %d at %d, which is said as %x", b, stream, offset, again)
		}
	})
}

func TestWhatTheFarSideWouldRefuseIsRefusedBeforeItIsSent(t *testing.T) {
	long := strings.Repeat("x", maxStart+1)
	var many []Env
	for range maxEnv + 1 {
		many = append(many, Env{"A", "1"})
	}
	for name, tt := range map[string]struct {
		start  Start
		status uint32
	}{
		"arguments":   {Start{Args: []string{long}}, 126},
		"a command":   {Start{Command: long}, 126},
		"a variable":  {Start{Env: []Env{{"A", strings.Repeat("x", maxEnvVar)}}}, 126},
		"variables":   {Start{Env: many}, 126},
		"environment": {Start{Env: slices.Repeat([]Env{{"A", strings.Repeat("x", 100<<10)}}, 11)}, 126},
		"TERM":        {Start{Pty: &Pty{Term: strings.Repeat("x", maxName+1)}}, 125},
		"modes":       {Start{Pty: &Pty{Modes: make([]byte, maxText+1)}}, 125},
	} {
		_, _, err := tt.start.request()
		var failure *Failure
		if !errors.As(err, &failure) || failure.Status != tt.status || failure.Message == "" || strings.Contains(failure.Message, "\n") {
			t.Errorf("too much of %s: %v, want a failure of one line with status %d", name, err, tt.status)
		}
	}
	for want, start := range map[string]Start{
		requestStart: {Args: []string{"a"}, Command: "b"},
		requestExec:  {Command: "b"},
		requestShell: {},
	} {
		if name, _, err := start.request(); name != want || err != nil {
			t.Errorf("%+v is a %s, %v; want %s", start, name, err, want)
		}
	}
}
