package wire

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// wireTap is a sender that notes what is sent. While held it takes nothing.
type wireTap struct {
	sent   chan string
	held   chan struct{}
	broken bool
}

func newWireTap() *wireTap { return &wireTap{sent: make(chan string, 1000), held: make(chan struct{})} }

func (w *wireTap) SendRequest(name string, wantReply bool, payload []byte) (bool, error) {
	<-w.held
	if w.broken {
		return false, errors.New("broken")
	}
	w.sent <- fmt.Sprintf("%s %t %x", strings.TrimSuffix(name, "@snug"), wantReply, payload)
	return true, nil
}

func (w *wireTap) all() (sent []string) {
	close(w.sent)
	for s := range w.sent {
		sent = append(sent, s)
	}
	return sent
}

func TestOutboxSendsTheLatestOfEachKindInOrder(t *testing.T) {
	o, tap := newOutbox(), newWireTap()
	o.finish(func(s sender) { _, _ = s.SendRequest("last", false, nil) })
	for i := range uint64(100) {
		o.end(Stdout, i)
		o.ack(Stdin, i)
		o.ack(Stderr, i)
		o.resize(Size{Rows: uint16(i), Cols: 2, XPixel: 3, YPixel: 4})
		o.sendReady(i)
	}
	o.signal("HUP")
	o.signal("TERM")
	o.notice(Notice{Progress: true, Text: "a"})
	close(tap.held)
	o.run(tap)
	want := []string{
		"notice false 010000000161",
		"ready false 0000000000000063",
		"window-change false 00000002000000630000000300000004",
		"signal false 00000003485550",
		"signal false 000000045445524d",
		"ack false 000000000000000000000063",
		"ack false 000000020000000000000063",
		"eof false 000000010000000000000063",
		"last false ",
	}
	if got := tap.all(); !slices.Equal(got, want) {
		t.Errorf("sent\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// While the peer takes nothing, nobody waits and nothing piles up.
func TestOutboxOfAStalledPeerIsBounded(t *testing.T) {
	o, tap := newOutbox(), newWireTap()
	go o.run(tap)
	o.resize(Size{Rows: 1, Cols: 1})
	eventually(t, "the first size is on its way", func() bool { o.mu.Lock(); defer o.mu.Unlock(); return o.size == nil })
	for i := range 1000 {
		o.resize(Size{Rows: uint16(i), Cols: 1})
		o.signal(fmt.Sprint(i))
		o.notice(Notice{Text: fmt.Sprint(i)})
		o.ack(Stdout, uint64(i))
	}
	o.finish(func(sender) {})
	close(tap.held)
	await(t, "the outbox is empty", o.done)
	count := map[string]int{}
	for _, s := range tap.all() {
		name, _, _ := strings.Cut(s, " ")
		count[name]++
	}
	if want := map[string]int{"window-change": 2, "signal": maxSignals, "notice": maxNotices, "ack": 1}; fmt.Sprint(count) != fmt.Sprint(want) {
		t.Errorf("sent %v, want %v", count, want)
	}
}

func TestClosedOutboxGivesItsSignalsBack(t *testing.T) {
	o, tap := newOutbox(), newWireTap()
	o.signal("HUP")
	o.signal("TERM")
	o.resize(Size{Rows: 1, Cols: 1})
	if got := o.close(); !slices.Equal(got, []string{"HUP", "TERM"}) {
		t.Errorf("gave %q back", got)
	}
	close(tap.held)
	o.run(tap)
	if got := tap.all(); len(got) > 0 {
		t.Errorf("sent %q after its end", got)
	}
}

func TestOutboxEndsWithItsChannel(t *testing.T) {
	o, tap := newOutbox(), newWireTap()
	tap.broken = true
	close(tap.held)
	o.sendReady(1)
	o.run(tap)
	o.resize(Size{Rows: 1, Cols: 1}) // waits for nobody
}
