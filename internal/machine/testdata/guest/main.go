//go:build linux

// Guest is the agent of this package's VM test: guestinit as process 1, and a
// server that runs the shell scripts that come over the link.
package main

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"syscall"

	"github.com/snugvm/snug/internal/agent"
	"github.com/snugvm/snug/internal/guestinit"
	"github.com/snugvm/snug/internal/vport"
)

func main() {
	if os.Getpid() == 1 {
		guestinit.Run()
	}
	_, _ = os.Stderr.WriteString("snug-agent: " + serve().Error() + "\n")
	os.Exit(1)
}

func serve() error {
	var config agent.Config
	if err := json.NewDecoder(os.Stdin).Decode(&config); err != nil {
		return err
	}
	link, err := vport.Open(guestinit.LinkPort)
	if err != nil {
		return err
	}
	for asks := json.NewDecoder(link); ; {
		var ask struct {
			Script string
			Root   bool
		}
		if err := asks.Decode(&ask); err != nil {
			return err
		}
		if err := run(link, config.User, ask.Script, ask.Root); err != nil {
			return err
		}
	}
}

// run sends back what the script prints, and a zero byte.
func run(w io.Writer, user agent.User, script string, root bool) error {
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + user.Home}
	if !root {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user.UID, Gid: user.GID, Groups: user.Groups}}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		out = append(out, err.Error()...)
	}
	_, err = w.Write(append(out, 0))
	return err
}
