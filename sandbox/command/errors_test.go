package command

import (
	"context"
	"errors"
	"testing"
)

func TestANetworkThatIsAwayIsToldFromAMachineThatIs(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{&Error{Kind: Unreachable, Tool: "ssh", Words: "ssh: connect to host h port 22: No route to host"}, true},
		{&Error{Kind: Unreachable, Tool: "ssh", Words: "ssh: connect to host h port 22: Connection refused"}, false},
		{&Error{Kind: Unreachable, Tool: "kubectl", Words: "dial tcp: lookup k on 1.1.1.1:53: no such host"}, true},
		{&Error{Kind: Failed, Tool: "ssh", Step: "hello", Err: context.DeadlineExceeded}, true},
		{&Error{Kind: Failed, Tool: "ssh", Words: "port 22: Connection refused", Err: context.DeadlineExceeded}, false},
		{&Error{Kind: Failed, Tool: "docker", Step: "hello", Err: context.DeadlineExceeded}, false},
		{&Error{Kind: Missing, Tool: "kubectl", Words: "pods \"p\" not found"}, false},
		{errors.New("no route to host"), false},
	} {
		if got := Away(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}
