package socks

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// client is a connection whose client has said all that it says.
type client struct {
	io.Reader
	bytes.Buffer
}

func (c *client) Read(p []byte) (int, error) { return c.Reader.Read(p) }

func TestRequests(t *testing.T) {
	for said, want := range map[string]Request{
		"\x04\x01\x00\x50\x7f\x00\x00\x01me\x00":                                          {"127.0.0.1", 80, 4},
		"\x04\x01\x00\x50\x00\x00\x00\x01\x00db.local\x00":                                {"db.local", 80, 4},
		"\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01\x1f\x90":                            {"127.0.0.1", 8080, 5},
		"\x05\x02\x02\x00\x05\x01\x00\x03\x02db\x00\x01":                                  {"db", 1, 5},
		"\x05\x01\x00\x05\x01\x00\x04" + strings.Repeat("\x00", 15) + "\x01" + "\x00\x02": {"::1", 2, 5},
		"\x05\x01\x00\x05\x01\x00\x03\xff" + strings.Repeat("x", 255) + "\x00\x02":        {strings.Repeat("x", 255), 2, 5},
		"\x04\x01\x00\x50\x00\x00\x00\x00" + strings.Repeat("u", 255) + "\x00":            {"0.0.0.0", 80, 4},
		"\x04\x01\x00\x50\x00\x00\x00\x09\x00" + strings.Repeat("h", 255) + "\x00":        {strings.Repeat("h", 255), 80, 4},
	} {
		c := &client{Reader: strings.NewReader(said + "the rest")}
		got, err := Read(c)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v, want %+v", said, got, err, want)
		}
		if rest, _ := io.ReadAll(c.Reader); string(rest) != "the rest" {
			t.Errorf("%q: %q is left", said, rest)
		}
	}
}

func TestWhatIsNotServedIsToldSo(t *testing.T) {
	for said, want := range map[string]string{
		"GET / HTTP/1.1\r\n":                                          "",
		"\x04\x02\x00\x50\x7f\x00\x00\x01\x00":                        "\x00\x5b\x00\x00\x00\x00\x00\x00",
		"\x04\x01\x00\x50\x00\x00\x00\x01\x00\x00":                    "\x00\x5b\x00\x00\x00\x00\x00\x00",
		"\x04\x01\x00\x50\x7f\x00\x00\x01" + strings.Repeat("u", 300): "",
		"\x05\x01\x02": "\x05\xff",
		"\x05\x01\x00\x05\x03\x00\x01\x7f\x00\x00\x01\x1f\x90": "\x05\x00\x05\x07\x00\x01\x00\x00\x00\x00\x00\x00",
		"\x05\x01\x00\x05\x01\x00\x09":                         "\x05\x00\x05\x08\x00\x01\x00\x00\x00\x00\x00\x00",
	} {
		c := &client{Reader: strings.NewReader(said)}
		if got, err := Read(c); !errors.Is(err, ErrUnsupported) || c.String() != want {
			t.Errorf("%q: %+v, %v, and is told %q, want %q", said, got, err, c.String(), want)
		}
	}
}

func TestReplies(t *testing.T) {
	for _, c := range []struct {
		version byte
		ok      bool
		want    string
	}{
		{4, true, "\x00\x5a\x00\x00\x00\x00\x00\x00"}, {4, false, "\x00\x5b\x00\x00\x00\x00\x00\x00"},
		{5, true, "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"}, {5, false, "\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00"},
	} {
		var b bytes.Buffer
		if err := (Request{version: c.version}).Reply(&b, c.ok); err != nil || b.String() != c.want {
			t.Errorf("%+v: %q, %v", c, b.String(), err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("\x05\x01\x00\x05\x01\x00\x03\x02db\x00\x01"))
	f.Add([]byte("\x04\x01\x00\x50\x00\x00\x00\x01\x00db.local\x00"))
	f.Fuzz(func(t *testing.T, said []byte) {
		r, err := Read(&client{Reader: bytes.NewReader(said)})
		if err == nil && (r.Host == "" || len(r.Host) > 255) {
			t.Errorf("%+v", r)
		}
	})
}
