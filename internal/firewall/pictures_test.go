package firewall_test

import (
	"bytes"
	"testing"

	"github.com/snugvm/snug/internal/firewall"
	"github.com/snugvm/snug/screen"
)

// What a screen sends again is judged like all output, and nothing of it may be lost or answered where pictures pass.
func TestPicturesOfASnapshotPassAsThoseOfAProgramDo(t *testing.T) {
	s := screen.New(40, 10, screen.Options{})
	s.SetPixels(400, 200)
	program := "text\r\n\x1bPq\"1;1;30;40#1;2;9;9;9#1!30~\x1b\\" +
		"\x1b[1;9H\x1b]1337;File=inline=1;width=3;height=2;preserveAspectRatio=0:R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7\a" +
		"\x1b[1;15H\x1b_Ga=T,i=7,f=24,s=30,v=40,m=1;AAAA\x1b\\\x1b_Gm=0;BBBB\x1b\\\x1b_Ga=T,f=24,c=2,r=1,s=1,v=1,q=2;AAAA\x1b\\\x1b_Ga=t,i=8,m=1;AAAA\x1b\\"
	_, _ = s.Write([]byte(program))
	snapshot := s.Snapshot(screen.SnapshotOptions{})
	for _, introducer := range []string{"\x1bPq", "\x1b]1337;File=", "\x1b_Gq=2,a=t,i=7", "\x1b_Gq=2,a=p,C=1,i=7", "\x1b_Gq=2,a=T,C=1"} {
		if !bytes.Contains(snapshot, []byte(introducer)) {
			t.Errorf("there is no %q in the snapshot %q", introducer, snapshot)
		}
	}

	f := firewall.New(firewall.Default)
	if out, replies := f.Feed(snapshot); !bytes.Equal(out, snapshot) || len(replies) > 0 || f.Refused() != "" {
		t.Errorf("default passes %q of %q, answers %q, refuses %q", out, snapshot, replies, f.Refused())
	}

	f = firewall.New(firewall.Strict)
	out, _ := f.Feed(snapshot)
	if without := s.Snapshot(screen.SnapshotOptions{WithoutImages: true}); bytes.Contains(out, []byte("\x1bP")) || bytes.Contains(out, []byte("\x1b_")) || !bytes.Contains(out, without[:4]) {
		t.Errorf("strict passes %q", out)
	}
}
