package command

import "errors"

// LocalConfig is what a machine without an agent of its own needs.
type LocalConfig struct {
	Config
	Bridge Bridge // BridgeStty or BridgeNative
	// NoStty is called once if the machine turns out to have no stty, so that
	// sizes are what the tool makes of them. It may be nil.
	NoStty func()
}

// Lesser is the bridge that may work where Start has failed with err, or "" if
// that was for another reason than that no agent can be placed.
func Lesser(err error) Bridge {
	switch {
	case errors.Is(err, ErrNoShell):
		return BridgeNative
	case errors.Is(err, ErrNoAgentPossible):
		return BridgeStty
	}
	return ""
}

// EndLocal ends what an earlier StartLocal has made, whose process is dead: its
// programs have ended with that.
func EndLocal(cfg LocalConfig) error {
	if !cfg.Plan.Fresh || cfg.Target == "" {
		return nil
	}
	m := newMachine(cfg.Config, nil)
	m.target, m.made = cfg.Target, &created{remove: cfg.Plan.remove}
	return m.unmake()
}
