package cli

import (
	"crypto/ed25519"
	"crypto/rand"
	"os"
	"time"

	"github.com/snugvm/snug/internal/agent"
	"github.com/snugvm/snug/internal/machine"
	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/sandbox/command"
)

// machineSpec is a machine as it was asked for. It travels to the keeper, and
// stays for those who come later, as config.json.
type machineSpec struct {
	// Tool is set for a machine behind another tool, and the fields down to
	// User are for one of our own.
	Tool      *toolSpec       `json:"tool,omitempty"`
	Accel     string          `json:"accel,omitempty"`
	MemoryMiB int             `json:"memory_mib,omitempty"`
	CPUs      int             `json:"cpus,omitempty"`
	Shares    []machine.Share `json:"shares,omitempty"`
	Dir       string          `json:"dir,omitempty"`
	User      agent.User      `json:"user"`

	Mark      wire.Mark `json:"mark"`
	AgentKey  []byte    `json:"agent_key"`
	KeeperKey []byte    `json:"keeper_key"`
	Debug     bool      `json:"debug,omitempty"`
	// Stay says that the machine outlives its last session.
	Stay bool `json:"stay,omitempty"`
	// RecordInput says that what is typed goes to the sessions' logs.
	RecordInput bool `json:"record_input,omitempty"`
	// Emulated says, once the machine is up, that software runs its guest.
	Emulated bool      `json:"emulated,omitempty"`
	Started  time.Time `json:"started"`
	Command  []string  `json:"command"`
}

// toolSpec is what a tool was asked for.
type toolSpec struct {
	Argv []string `json:"argv,omitempty"` // the tool's command line
	Exec []string `json:"exec,omitempty"` // or that of --exec
	Key  string   `json:"key"`            // which machine it means, and as whom
	// Target is the machine that the tool has made for us, if it has made one.
	Target string `json:"target,omitempty"`
	// Bridge is the one that was asked for, and once the machine is up the one
	// that it has.
	Bridge command.Bridge `json:"bridge,omitempty"`
}

// newSpec returns a spec with fresh secrets.
func newSpec(debug bool) machineSpec {
	return machineSpec{
		Mark: wire.NewMark(), AgentKey: newSeed(), KeeperKey: newSeed(),
		Debug: debug, Started: time.Now(), Command: os.Args[1:],
	}
}

func newSeed() []byte {
	seed := make([]byte, ed25519.SeedSize)
	_, _ = rand.Read(seed) // never fails
	return seed
}

func (s *machineSpec) keeperKey() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(s.KeeperKey) }

func (s *machineSpec) agentConfig() agent.Config {
	return agent.Config{Mark: s.Mark[:], HostKey: s.AgentKey, User: s.User, Dir: s.Dir}
}

// sandbox is the name of what confines the machine.
func (s *machineSpec) sandbox() string {
	if s.Tool == nil {
		return "qemu"
	}
	plan, err := s.Tool.plan()
	if err != nil {
		return "?"
	}
	return plan.Tool
}

func (t *toolSpec) plan() (*command.Plan, error) {
	if len(t.Exec) > 0 {
		return command.Wrap(t.Exec, nil)
	}
	return command.Parse(t.Argv)
}
