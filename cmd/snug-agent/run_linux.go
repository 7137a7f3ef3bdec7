package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/snugvm/snug/internal/agent"
	"github.com/snugvm/snug/internal/guestinit"
	"github.com/snugvm/snug/internal/relay"
	"github.com/snugvm/snug/internal/vport"
)

// run is the command line. Process 1 is the init, whatever words the kernel gives
// it; only what starts an agent in another's sandbox has a word and a folder.
func run(args []string) error {
	if len(args) == 2 {
		switch args[0] {
		case "enter":
			return relay.Enter(context.Background(), args[1], stdio())
		case "relay":
			return relayTo(args[1])
		case "serve":
			return serveFolder(args[1], os.Stdin)
		case relay.Launch:
			return relay.Launched(args[1])
		case relay.Attend:
			return relay.Attended(args[1])
		}
	}
	switch {
	case os.Getpid() == 1:
		guestinit.Run()
		return nil
	case len(args) == 1 && args[0] == "serve":
		return serveLink(os.Stdin)
	case len(args) == 1 && args[0] == agent.SFTP:
		return agent.ServeSFTP(os.Stdin, os.Stdout)
	}
	return errors.New("this is snug's own helper inside a guest: run snug on the host instead")
}

// serveLink serves a virtio-serial port as the config on stdin says.
func serveLink(stdin io.Reader) error {
	config, err := readConfig(stdin)
	if err != nil {
		return err
	}
	link, err := vport.Open(guestinit.LinkPort)
	if err != nil {
		return err
	}
	defer func() { _ = link.Close() }()
	return agent.Serve(context.Background(), link, config)
}

// serveFolder sees that the folder has an agent, and returns when it has.
func serveFolder(folder string, stdin io.Reader) error {
	config, err := readConfig(stdin)
	if err != nil {
		return err
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return err
	}
	err = relay.StartServe(self(), folder, config)
	if errors.Is(err, relay.ErrLive) {
		return nil
	}
	return err
}

// relayTo carries stdin and stdout to an agent that is up.
func relayTo(folder string) error {
	conn, err := relay.Connect(folder, func() error { return errors.New("no agent serves this folder") })
	if err != nil {
		return err
	}
	relay.Carry(conn, folder, stdio())
	return nil
}

func stdio() relay.Stdio {
	return relay.Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Self: self()}
}

func readConfig(from io.Reader) (config agent.Config, err error) {
	if err = json.NewDecoder(from).Decode(&config); err != nil {
		err = fmt.Errorf("read config: %w", err)
	}
	return config, err
}

// self is the name of this binary. The shell names it in full; where it did not,
// the kernel knows it.
func self() string {
	if filepath.IsAbs(os.Args[0]) {
		return os.Args[0]
	}
	name, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return name
}
