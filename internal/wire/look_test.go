package wire

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestSessionsComeAsTheyWereTold(t *testing.T) {
	all := []SessionInfo{
		{Number: 1, Program: "vim a.txt", Pty: true, Size: Size{41, 137, 1370, 820}, Viewers: 2, Title: "a.txt", Idle: 90 * time.Second,
			Started: time.UnixMilli(1_700_000_000_123), Attention: true},
		{Number: 7, Started: time.UnixMilli(0), Ended: true, Exit: Exit{Status: 137, Signal: "KILL"}, Failure: "lost"},
	}
	got, total, err := parseSessions(MarshalSessions(all))
	if err != nil || total != 2 || !reflect.DeepEqual(got, all) {
		t.Errorf("%d: %+v, %v", total, got, err)
	}
}

func TestAnAnswerWithSessionsIsBounded(t *testing.T) {
	all := make([]SessionInfo, 2*maxListed)
	for i := range all {
		all[i] = SessionInfo{Number: uint32(i + 1), Program: strings.Repeat("é", 1000), Title: strings.Repeat("\x9b", 1000)}
	}
	answer := MarshalSessions(all)
	got, total, err := parseSessions(answer)
	if err != nil || len(got) != maxListed || int(total) != len(all) || len(answer) > 200<<10 {
		t.Fatalf("%d of %d in %d bytes, %v", len(got), total, len(answer), err)
	}
	if got[0].Program != strings.Repeat("é", maxLabel/2) || got[0].Title != "" {
		t.Errorf("cut to %q, %q", got[0].Program, got[0].Title)
	}
}

func FuzzParseSessions(f *testing.F) {
	f.Add(MarshalSessions([]SessionInfo{{Number: 1, Program: "sh", Pty: true, Size: Size{24, 80, 0, 0}}}))
	f.Add([]byte{0, 0, 0, 1, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, answer []byte) {
		listed, _, err := parseSessions(answer)
		if err != nil {
			return
		}
		again, _, err := parseSessions(MarshalSessions(listed))
		if err != nil || !reflect.DeepEqual(again, listed) {
			t.Errorf("%+v, then %+v, %v", listed, again, err)
		}
	})
}

func TestAScreenThatCameInPartIsNone(t *testing.T) {
	r := newRig(t)
	conn := r.dial()
	if _, err := AskScreen(conn, 1, 0); err == nil || !strings.Contains(err.Error(), "only sessions are served here") {
		t.Errorf("of a host without screens: %v", err)
	}
	whole := []byte("\x00\x00\x00\x00\x00\x00\x00\x09\x00\x00\x00\x50\x00\x00\x00\x18\x00\x00\x00\x02ab")
	s, err := parseSnapshot(whole)
	if err != nil || s.Offset != 9 || s.Cols != 80 || s.Rows != 24 || !bytes.Equal(s.Bytes, []byte("ab")) {
		t.Errorf("%+v, %v", s, err)
	}
	for n := range whole {
		if _, err := parseSnapshot(whole[:n]); err == nil {
			t.Errorf("%d bytes of %d were taken for a screen", n, len(whole))
		}
	}
}

func TestANearSideWithoutATerminalSaysSo(t *testing.T) {
	for _, unseen := range []bool{false, true} {
		r := newRig(t)
		start := onPty()
		start.Unseen = unseen
		k := session(start)
		ran := k.run(t, r.dial())
		p := r.host.program(t)
		eventually(t, "the near side", func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			return len(p.attached) == 1
		})
		p.mu.Lock()
		for a := range p.attached {
			if a.Seen() == unseen {
				t.Errorf("unseen %v: the far side has it otherwise", unseen)
			}
		}
		p.mu.Unlock()
		p.say("", "")
		p.end(Exit{})
		if _, err := k.finish(t, ran); err != nil {
			t.Error(err)
		}
	}
}
