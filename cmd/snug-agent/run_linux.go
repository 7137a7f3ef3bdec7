package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/snugvm/snug/internal/agent"
	"github.com/snugvm/snug/internal/guestinit"
	"github.com/snugvm/snug/internal/vport"
)

// run is the command line. The kernel gives process 1 words of its own, so that
// its number decides.
func run(args []string) error {
	switch {
	case os.Getpid() == 1:
		guestinit.Run()
		return nil
	case len(args) == 1 && args[0] == "serve":
		return serveLink(os.Stdin)
	}
	return errors.New("this is snug's own helper inside a guest: run snug on the host instead")
}

// serveLink serves the machine's link as the config on stdin says.
func serveLink(stdin io.Reader) error {
	var config agent.Config
	if err := json.NewDecoder(stdin).Decode(&config); err != nil {
		return fmt.Errorf("read config: %w", err)
	}
	link, err := vport.Open(guestinit.LinkPort)
	if err != nil {
		return err
	}
	defer func() { _ = link.Close() }()
	return agent.Serve(context.Background(), link, config)
}
