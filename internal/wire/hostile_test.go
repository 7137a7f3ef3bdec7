package wire

import (
	"net"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// A guest is not trusted: whatever it says is refused or bounded.
func TestHostileFarSide(t *testing.T) {
	offset := func(s Stream, n uint64) []byte { return ssh.Marshal(offsetPayload{uint32(s), n}) }
	r := newRig(t)
	k := session(onPty())
	ran := k.run(t, r.hostile(func(conn ssh.Conn, ch ssh.Channel) {
		ask := func(name string, payload []byte, want bool) {
			if ok, err := ch.SendRequest(name, true, payload); err != nil || ok != want {
				t.Errorf("%s %x: %t, %v; want %t", name, payload, ok, err, want)
			}
		}
		ask("unknown@snug", nil, false)
		ask(requestReady, []byte{1}, false)
		ask(requestReady, ssh.Marshal(readyPayload{0}), true)
		ask(requestAck, offset(Stdin, 1), false)  // nothing was sent
		ask(requestAck, offset(Stdout, 0), false) // the near side's to say
		ask(requestAck, []byte("x"), false)
		ask(requestEnd, offset(Stdin, 0), false)
		ask(requestEnd, offset(Exited, 0), false)
		ask(requestExitStatus, []byte{0}, false)
		ask(requestExitSignal, ssh.Marshal(exitSigPayload{Name: strings.Repeat("X", maxName+1)}), false)
		ask(requestNotice, ssh.Marshal(noticePayload{false, strings.Repeat("x", 3*maxText)}), true)
		_, _ = ch.Stderr().Write([]byte("a terminal has no second stream"))
		_, _ = ch.Write([]byte("output"))
		eventually(t, "output", func() bool { return k.text(Stdout) == "output" })
		ask(requestEnd, offset(Stdout, 5), false) // before what came
		ask(requestEnd, offset(Stdout, 6), true)
		ask(requestEnd, offset(Stdout, 6), true) // again
		ask(requestEnd, offset(Stdout, 7), false)
		_, _ = ch.Write([]byte(" after its end"))
		if _, _, err := conn.OpenChannel("session", nil); err == nil {
			t.Error("the far side could open a channel")
		}
		if ok, _, err := conn.SendRequest("tcpip-forward", true, nil); ok || err != nil {
			t.Errorf("a global request: %t, %v", ok, err)
		}
		ask(requestExitSignal, ssh.Marshal(exitSigPayload{Name: "KILL"}), true)
		ask(requestExitStatus, ssh.Marshal(statusPayload{0}), true)
	}))
	exit, err := k.finish(t, ran)
	if err != nil || exit.Signal != "KILL" || exit.Status == 0 {
		t.Errorf("exit %+v, %v: death by a signal is never 0", exit, err)
	}
	if k.text(Stdout) != "output" || k.text(Stderr) != "" || k.ends != [streams]int{Stdout: 1} {
		t.Errorf("output %q, errors %q, ends %v", k.text(Stdout), k.text(Stderr), k.ends)
	}
	if len(k.notices) != 1 || len(k.notices[0].Text) != maxText {
		t.Errorf("%d notices", len(k.notices))
	}
}

func TestFarSideWithAnotherKeyIsRefused(t *testing.T) {
	r := newRig(t)
	peer := r.peer()
	other := newRig(t)
	peer.HostKey = other.peer().HostKey
	link := r.link(func(c net.Conn) { _ = Server(c, r.key, r.host) })
	if _, err := Connect(t.Context(), link, peer); err == nil || !strings.Contains(err.Error(), "host key") {
		t.Errorf("a far side with another key: %v", err)
	}
	if _, err := link.Write([]byte("x")); err == nil {
		t.Error("the link was left open")
	}
}
