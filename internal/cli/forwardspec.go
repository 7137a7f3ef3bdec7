package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/snugvm/snug/internal/wire"
)

// The kinds of forwards, by the flags that have them.
const (
	forwardLocal  = "local"  // -L: from the host into the machine
	forwardRemote = "remote" // -R: from the machine to the host
	forwardSOCKS  = "socks"  // -D: from the host, to wherever a client says
)

// forward is one forward as it was asked for.
type forward struct {
	kind   string
	listen wire.Address
	to     wire.Address // of none for SOCKS
}

// parseForward reads what ssh's own flags take: [BIND:]PORT:HOST:PORT, where a
// path stands for a unix socket on either side; for SOCKS [BIND:]PORT. Where a
// short form will do, PORT and PORT:PORT are to localhost.
func parseForward(kind, text string, short bool) (forward, error) {
	usage := map[string]string{
		forwardLocal: "-L [BIND:]PORT:HOST:PORT", forwardRemote: "-R [BIND:]PORT:HOST:PORT", forwardSOCKS: "-D [BIND:]PORT",
	}[kind]
	if short {
		usage = "PORT[:[HOST:]PORT]"
	}
	f := forward{kind: kind}
	bad := fmt.Errorf("%q: write %s; an IPv6 address stands in brackets, and a path stands for a unix socket", text, usage)
	words, ok := splitForward(text)
	if !ok {
		return f, bad
	}
	if kind != forwardSOCKS {
		if short && len(words) == 1 {
			words = append(words, words[0])
		}
		if short && len(words) == 2 && !strings.HasPrefix(words[1], "/") {
			words = []string{words[0], "localhost", words[1]}
		}
		if f.to, words, ok = takeLast(words); !ok || f.to.Path == "" && f.to.Port == 0 {
			return f, bad
		}
	}
	if f.listen, ok = listenAddress(words, kind); !ok {
		return f, bad
	}
	return f, nil
}

// splitForward splits at colons that stand in no brackets, which it takes away.
func splitForward(text string) (words []string, ok bool) {
	if strings.HasSuffix(text, ":") {
		return nil, false
	}
	for text != "" {
		var word, rest string
		if inner, bracket := strings.CutPrefix(text, "["); bracket {
			if word, rest, ok = strings.Cut(inner, "]"); !ok || rest != "" && rest[0] != ':' {
				return nil, false
			}
			rest = strings.TrimPrefix(rest, ":")
		} else {
			word, rest, _ = strings.Cut(text, ":")
		}
		words = append(words, word)
		text = rest
	}
	return words, len(words) > 0
}

// takeLast takes the address at the end: HOST:PORT, or a path.
func takeLast(words []string) (a wire.Address, rest []string, ok bool) {
	n := len(words)
	if n >= 2 && strings.HasPrefix(words[n-1], "/") {
		return wire.Address{Path: words[n-1]}, words[:n-1], true
	}
	if n < 3 || words[n-2] == "" {
		return a, nil, false
	}
	port, ok := portOf(words[n-1])
	return wire.Address{Host: words[n-2], Port: port}, words[:n-2], ok
}

// listenAddress is [BIND:]PORT or a path. Nobody but the host itself, or the
// machine itself, is let in unless that is asked for.
func listenAddress(words []string, kind string) (a wire.Address, ok bool) {
	if len(words) == 1 && strings.HasPrefix(words[0], "/") {
		return wire.Address{Path: words[0]}, true
	}
	a.Host = "127.0.0.1"
	if kind == forwardRemote {
		a.Host = "localhost"
	}
	switch len(words) {
	case 1:
	case 2:
		if a.Host = words[0]; a.Host == "*" {
			a.Host = ""
		}
	default:
		return a, false
	}
	a.Port, ok = portOf(words[len(words)-1])
	return a, ok
}

func portOf(word string) (uint32, bool) {
	n, err := strconv.ParseUint(word, 10, 16)
	return uint32(n), err == nil
}
