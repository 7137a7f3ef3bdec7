package agent_test

import (
	"testing"

	"github.com/snugvm/snug/sandbox/sandboxtest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, sandboxtest.Stranded()) }
