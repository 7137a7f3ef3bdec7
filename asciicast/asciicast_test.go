package asciicast

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write the recordings in testdata anew")

var demo = Header{
	Cols: 80, Rows: 24, Term: "xterm-256color", Time: time.Unix(1504467315, 0).UTC(), Title: "a <demo> & \"more\"", Command: "bash -l",
	Idle: 2500 * time.Millisecond, Env: map[string]string{"SHELL": "/bin/bash"},
}

// record writes what the golden files hold.
func record(t *testing.T, version Version) []byte {
	t.Helper()
	var b bytes.Buffer
	h := demo
	h.Version = version
	w, err := NewWriter(&b, h)
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(err)
	check(w.Output(248848*time.Microsecond, []byte("\x1b[1;31mHello \x1b[32mWörld!\x1b[0m\r\n")))
	check(w.Input(time.Second, []byte("ls\r")))
	check(w.Output(1500*time.Millisecond, []byte("cut \xe4\xb8")))
	check(w.Resize(2*time.Second, 100, 50))
	check(w.Output(2*time.Second+1499*time.Nanosecond, []byte("\x96 here, \xff and <&>\u2028\x00\x7f")))
	check(w.Marker(3*time.Second, "chapter"))
	check(w.Output(time.Second, []byte("late")))
	check(w.Output(4*time.Second, []byte("half \xf0\x9f")))
	check(w.Exit(5*time.Second, 3))
	check(w.Close())
	return b.Bytes()
}

func TestRecordingsAreWrittenAsPlayersKnowThem(t *testing.T) {
	for version, file := range map[Version]string{0: "testdata/v3.cast", V3: "testdata/v3.cast", V2: "testdata/v2.cast"} {
		got := record(t, version)
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("version %d is\n%s\nwant, by %s,\n%s", version, got, file, want)
		}
	}
}

// readAll reads a recording to its end, or the first error.
func readAll(recording []byte) (h Header, events []Event, err error) {
	r, err := NewReader(bytes.NewReader(recording))
	if err != nil {
		return Header{}, nil, err
	}
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return r.Header(), events, nil
		}
		if err != nil {
			return r.Header(), events, err
		}
		events = append(events, e)
	}
}

func TestWhatWasWrittenIsRead(t *testing.T) {
	for _, version := range []Version{V2, V3} {
		h, events, err := readAll(record(t, version))
		if err != nil {
			t.Fatal(err)
		}
		want := demo
		want.Version = version
		if !reflect.DeepEqual(h, want) {
			t.Errorf("header %+v, want %+v", h, want)
		}
		us := time.Microsecond
		all := []Event{
			{248848 * us, Output, "\x1b[1;31mHello \x1b[32mWörld!\x1b[0m\r\n"}, {1e6 * us, Input, "ls\r"}, {1.5e6 * us, Output, "cut "}, {2e6 * us, Resize, "100x50"},
			{2000001 * us, Output, "\u4e16 here, \ufffd and <&>\u2028\x00\x7f"}, {3e6 * us, Marker, "chapter"}, {3e6 * us, Output, "late"},
			{4e6 * us, Output, "half "}, {5e6 * us, Output, "\ufffd"}, {5e6 * us, Exit, "3"},
		}
		if version == V2 {
			all = all[:len(all)-1]
		}
		if !reflect.DeepEqual(events, all) {
			t.Errorf("version %d: events\n%q, want\n%q", version, events, all)
		}
	}
}

// However many intervals there are, an event is where it was.
func TestRoundingsDoNotAddUp(t *testing.T) {
	for _, version := range []Version{V2, V3} {
		var b bytes.Buffer
		w, err := NewWriter(&b, Header{Version: version, Cols: 1, Rows: 1})
		if err != nil {
			t.Fatal(err)
		}
		const n, step = 100_000, 333_333_334*time.Nanosecond + 333
		for i := range n {
			if err := w.Output(time.Duration(i)*step, []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		_, events, err := readAll(b.Bytes())
		if err != nil || len(events) != n {
			t.Fatalf("%d events, %v", len(events), err)
		}
		for i, e := range events {
			if want := (time.Duration(i) * step).Round(time.Microsecond); e.Time != want {
				t.Fatalf("version %d: event %d is at %v, want %v", version, i, e.Time, want)
			}
		}
	}
}

func TestWhatIsNoUTF8IsReplaced(t *testing.T) {
	for in, want := range map[string]string{
		"\xff":                      "\ufffd",
		"\xc0\xaf":                  "\ufffd\ufffd",             // too long a form
		"\xe0\x80\x80":              "\ufffd\ufffd\ufffd",       // likewise
		"\xed\xa0\x80":              "\ufffd\ufffd\ufffd",       // a surrogate
		"\xf4\x90\x80\x80":          "\ufffd\ufffd\ufffd\ufffd", // above U+10FFFF
		"\xf0\x9f\x98x":             "\ufffdx",                  // one for the part that could have been a character
		"\xe4\xb8\xe4\xb8\x96":      "\ufffd世",
		"\x80a\xbf":                 "\ufffda\ufffd",
		"\xf0\x9f\x98\x80":          "😀",
		"\xe4":                      "\ufffd",
		"a\u0301\x00\x1b\x7f\ufffd": "a\u0301\x00\x1b\x7f\ufffd",
	} {
		for cut := range len(in) + 1 {
			var d decoder
			if got := d.feed([]byte(in[:cut])) + d.feed([]byte(in[cut:])) + d.end(); got != want {
				t.Errorf("%q cut at %d becomes %q, want %q", in, cut, got, want)
			}
		}
	}
}

func TestAnyOutputComesBackHoweverItIsCut(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for trial := range 300 {
		version := Version(2 + trial%2)
		var b bytes.Buffer
		w, err := NewWriter(&b, Header{Version: version, Cols: 1 + rng.IntN(300), Rows: 1 + rng.IntN(100)})
		if err != nil {
			t.Fatal(err)
		}
		var all []byte
		at := time.Duration(0)
		for range rng.IntN(50) {
			p := []byte("世界😀 \x1b[m"[:rng.IntN(15)])
			for range rng.IntN(20) {
				p = append(p, byte(rng.Uint32()))
			}
			all = append(all, p...)
			at += time.Duration(rng.Int64N(int64(time.Hour)))
			if err := errors.Join(w.Output(at, p), w.Resize(at, 3, 4)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		_, events, err := readAll(b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		last := time.Duration(0)
		for _, e := range events {
			if e.Code == Output {
				got.WriteString(e.Text)
			}
			if e.Time < last || !utf8.ValidString(e.Text) {
				t.Fatalf("event %+v after %v", e, last)
			}
			last = e.Time
		}
		var d decoder
		if want := d.feed(all) + d.end(); got.String() != want {
			t.Fatalf("trial %d: %q becomes %q, want %q", trial, all, got.String(), want)
		}
		if utf8.Valid(all) && got.String() != string(all) {
			t.Fatalf("trial %d: text is changed", trial)
		}
	}
}

func TestWhatAsciinemaTakesIsRead(t *testing.T) {
	for recording, want := range map[string]string{
		`{"version": 3, "term": {"cols": 80, "rows": 24, "theme": {"fg": "#fff"}}, "tags": ["x"]}` + "\n# comment\n\n[1, \"o\", \"a\"]\r\n[0.5, \"z\", \"b\"]\n": "[{1s o a} {1.5s z b}]",
		`{"version": 2, "width": 80, "height": 24, "timestamp": 1504467315.5, "env": {"SHELL": null}}` + "\n[2.0, \"o\", \"a\"]\n[1.0, \"o\", \"b\"]":            "[{2s o a} {2s o b}]",
	} {
		if _, events, err := readAll([]byte(recording)); err != nil || fmt.Sprint(events) != want {
			t.Errorf("%s\nis %v, %v", recording, events, err)
		}
	}
}

func TestErrorsNameTheLine(t *testing.T) {
	const header = `{"version": 3, "term": {"cols": 80, "rows": 24}}` + "\n"
	for recording, want := range map[string]string{
		"":                                    "the recording is empty",
		"plain text\n":                        "line 1: not an asciicast header",
		`{"version": 1}`:                      "line 1: version 1 is not supported: convert it",
		`{"version": 4}`:                      "line 1: version 4 is not supported",
		`{"version": 3}`:                      "line 1: a terminal of 0 columns",
		`{"version": 2, "width": 80}`:         "line 1: a terminal of 0 columns",
		header + "\n\n{}\n":                   "line 4: not an event",
		header + "[1, \"o\"]\n":               "line 2: not an event: 2 values",
		header + "[-1, \"o\", \"\"]\n":        "line 2: a time of -1 seconds",
		header + "[1, \"\", \"\"]\n":          "line 2: not an event: it has no code",
		header + "[1, \"r\", \"80\"]\n":       "line 2: \"80\" is no size",
		header + "[1, \"r\", \"80x70000\"]\n": "is no size",
		header + "[1, \"o\", \"cut":           "line 2: the recording breaks off: unexpected EOF",
	} {
		if _, _, err := readAll([]byte(recording)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", recording, err, want)
		}
	}
}

func TestAHeaderThatNobodyCanReadIsNotWritten(t *testing.T) {
	for _, h := range []Header{{}, {Cols: 80}, {Cols: 80, Rows: 65536}, {Version: 1, Cols: 80, Rows: 24}} {
		if _, err := NewWriter(io.Discard, h); err == nil {
			t.Errorf("%+v is written", h)
		}
	}
}

func FuzzReader(f *testing.F) {
	for _, file := range []string{"testdata/v2.cast", "testdata/v3.cast"} {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, events, err := readAll(b)
		if err != nil {
			return
		}
		var again bytes.Buffer
		w, err := NewWriter(&again, h)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if err := w.event(e.Time, "o", e.Text); err != nil {
				t.Fatal(err)
			}
		}
		h2, events2, err := readAll(again.Bytes())
		if err != nil || !reflect.DeepEqual(h2, h) || len(events2) != len(events) {
			t.Fatalf("%+v becomes %+v, %v", h, h2, err)
		}
		for i, e := range events2 {
			if e.Time != events[i].Time || e.Text != events[i].Text {
				t.Fatalf("%+v becomes %+v", events[i], e)
			}
		}
	})
}
