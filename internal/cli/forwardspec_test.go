package cli

import (
	"testing"

	"github.com/snugvm/snug/internal/wire"
)

func TestForwardsAsTheyAreWritten(t *testing.T) {
	tcp := func(host string, port uint32) wire.Address { return wire.Address{Host: host, Port: port} }
	path := func(p string) wire.Address { return wire.Address{Path: p} }
	here, there := "127.0.0.1", "localhost"
	for _, c := range []struct {
		kind, text string
		short      bool
		listen, to wire.Address
	}{
		{forwardLocal, "8080", true, tcp(here, 8080), tcp(there, 8080)},
		{forwardLocal, "8080:80", true, tcp(here, 8080), tcp(there, 80)},
		{forwardLocal, "5432:db:5433", true, tcp(here, 5432), tcp("db", 5433)},
		{forwardLocal, "0:[::1]:80", true, tcp(here, 0), tcp("::1", 80)},
		{forwardLocal, "8080:/run/s", true, tcp(here, 8080), path("/run/s")},
		{forwardLocal, "8080:localhost:80", false, tcp(here, 8080), tcp(there, 80)},
		{forwardLocal, "0.0.0.0:8080:localhost:80", false, tcp("0.0.0.0", 8080), tcp(there, 80)},
		{forwardLocal, "*:8080:h:80", false, tcp("", 8080), tcp("h", 80)},
		{forwardLocal, "[::1]:8080:[2001:db8::1]:80", false, tcp("::1", 8080), tcp("2001:db8::1", 80)},
		{forwardLocal, "/tmp/a:/tmp/b", false, path("/tmp/a"), path("/tmp/b")},
		{forwardLocal, "/tmp/a:h:1", false, path("/tmp/a"), tcp("h", 1)},
		{forwardRemote, "9000:h:1", false, tcp(there, 9000), tcp("h", 1)},
		{forwardRemote, "0.0.0.0:9000:h:1", false, tcp("0.0.0.0", 9000), tcp("h", 1)},
		{forwardRemote, "/tmp/s:/run/s", false, path("/tmp/s"), path("/run/s")},
		{forwardSOCKS, "1080", false, tcp(here, 1080), wire.Address{}},
		{forwardSOCKS, "0.0.0.0:1080", false, tcp("0.0.0.0", 1080), wire.Address{}},
	} {
		got, err := parseForward(c.kind, c.text, c.short)
		if want := (forward{c.kind, c.listen, c.to}); err != nil || got != want {
			t.Errorf("%s %s: %+v, %v, want %+v", c.kind, c.text, got, err, want)
		}
	}
	for _, text := range []string{
		"", ":", "x", "8080", "8080:80", "8080:h:0", "8080:h:", "8080::80", "65536:h:80", "-1:h:80", "1:2:3:4:5", "[::1:8080:h:80", "[::1]x:1:h:2", "::1:8080:h:80",
	} {
		if got, err := parseForward(forwardLocal, text, false); err == nil {
			t.Errorf("-L %q is %+v", text, got)
		}
	}
	for _, text := range []string{"", "0", "x", "8080:", "/tmp/s:80:"} {
		if got, err := parseForward(forwardLocal, text, true); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
}

func FuzzParseForward(f *testing.F) {
	f.Add("0.0.0.0:8080:[::1]:80", true)
	f.Fuzz(func(t *testing.T, text string, short bool) {
		got, err := parseForward(forwardLocal, text, short)
		if err == nil && got.to.Path == "" && (got.to.Port == 0 || got.to.Host == "") {
			t.Errorf("%q leads to %+v", text, got.to)
		}
	})
}
