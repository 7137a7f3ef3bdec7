package terminal

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func parse(chunks ...[]byte) (got []report, err error) {
	var p reportParser
	for _, c := range chunks {
		err = p.feed(c, func(r report) { got = append(got, report{r.kind, bytes.Clone(r.payload)}) })
	}
	return got, err
}

func TestReportsArriveHoweverTheyAreCut(t *testing.T) {
	var stream []byte
	stream = report{kind: reportRaw}.append(stream)
	stream = report{reportUndo, []byte("\x1b[?25h")}.append(stream)
	stream = report{reportUndo, nil}.append(stream)
	stream = report{reportStatus, []byte{42}}.append(stream)
	for cut := range len(stream) + 1 {
		got, err := parse(stream[:cut], stream[cut:])
		if err != nil || len(got) != 4 || string(got[1].payload) != "\x1b[?25h" || got[3].payload[0] != 42 {
			t.Fatalf("cut at %d: %v, %v", cut, got, err)
		}
	}
	if got, err := parse(stream[:len(stream)-1]); err != nil || len(got) != 3 {
		t.Errorf("a torn last report: %v, %v; want the three before", got, err)
	}
}

func TestMalformedReportsAreRefused(t *testing.T) {
	for name, stream := range map[string]string{
		"unknown kind":      "X\x00\x00\x00\x00",
		"payload of raw":    "R\x00\x00\x00\x01x",
		"empty status":      "S\x00\x00\x00\x00",
		"long status":       "S\x00\x00\x00\x02ab",
		"undo beyond bound": "U\x00\x00\x40\x01" + strings.Repeat("x", MaxUndo+1),
		"huge undo":         "U\xff\xff\xff\xff",
	} {
		got, err := parse([]byte(stream), report{kind: reportRaw}.append(nil))
		if !errors.Is(err, errReport) || len(got) != 0 {
			t.Errorf("%s: %v, %v; want a refusal", name, got, err)
		}
	}
}

func FuzzReports(f *testing.F) {
	f.Add(report{reportUndo, []byte("\x1b[?25h")}.append(report{kind: reportRaw}.append(nil)), 3)
	f.Add([]byte("U\xff\xff\xff\xff"), 1)
	f.Fuzz(func(t *testing.T, stream []byte, cut int) {
		whole, wholeErr := parse(stream)
		cut = min(max(cut, 0), len(stream))
		parts, partsErr := parse(stream[:cut], stream[cut:])
		if len(whole) != len(parts) || (wholeErr == nil) != (partsErr == nil) {
			t.Fatalf("cut at %d: %v, %v; whole: %v, %v", cut, parts, partsErr, whole, wholeErr)
		}
		for i := range whole {
			if whole[i].kind != parts[i].kind || !bytes.Equal(whole[i].payload, parts[i].payload) {
				t.Fatalf("report %d differs when cut at %d", i, cut)
			}
		}
	})
}
