//go:build linux

package guest

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/snugvm/snug/test/smolvm/internal/cmdline"
	"github.com/snugvm/snug/test/smolvm/internal/frame"
	"github.com/snugvm/snug/test/smolvm/internal/home"
)

// agent serves the execs of one machine. There is no lock in it, and there must be none: that is what it is for.
type agent struct {
	home     home.Home
	machine  home.Machine
	settings home.Settings
	version  cmdline.Version
	deaf     atomic.Bool // a console handshake failed: from now on sizes are not forwarded
	ids      atomic.Int64
}

// Serve is the agent process. It says that it is ready by closing ready after a byte, and does not return but for an
// error; its goroutines end with the process.
func Serve(h home.Home, s home.Settings, m home.Machine, ready *os.File) error {
	v, err := cmdline.ParseVersion(s.Version)
	if err != nil {
		return err
	}
	a := &agent{home: h, machine: m, settings: s, version: v}
	a.ids.Store(time.Now().UnixNano()) // no id of an earlier start of the machine comes again
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: m.Socket(), Net: "unix"})
	if err != nil {
		return err
	}
	if _, err := ready.WriteString("!"); err != nil {
		return err
	}
	_ = ready.Close()
	for {
		conn, err := listener.AcceptUnix()
		if err != nil {
			return err
		}
		go func() {
			if err := a.handle(conn); err != nil {
				log.Print(err)
			}
		}()
	}
}

// handle serves one exec, from its request to its exit status.
func (a *agent) handle(conn *net.UnixConn) error {
	defer conn.Close()
	in, out := frame.NewReader(conn), frame.NewWriter(conn)
	kind, payload, err := in.Read()
	if err != nil || kind != frame.Start {
		return fmt.Errorf("a connection without a request: kind %d, %w", kind, err)
	}
	var req frame.Request
	if err := json.Unmarshal(payload, &req); err != nil {
		return err
	}
	record := home.Record{
		ID: a.ids.Add(1), Machine: a.machine.Name, Argv: req.Argv, Args: req.Args,
		TTY: req.TTY, Interactive: req.Interactive, Started: time.Now(),
	}
	if err := a.home.Append(record); err != nil {
		return err
	}
	end, gone := a.exec(conn, in, out, req)
	record.Ended, record.Exit = time.Now(), end.Status
	if gone {
		record.Exit = -1
	}
	// First the log: who reads it when the client has ended finds all of this exec.
	return errors.Join(a.home.Append(record), out.WriteJSON(frame.Exit, end))
}

// exec runs one command to its end, or starts it only. Gone is whether the client went first.
func (a *agent) exec(conn *net.UnixConn, in *frame.Reader, out *frame.Writer, req frame.Request) (end frame.End, gone bool) {
	work, err := a.bringUp(req)
	if err != nil {
		return frame.End{Status: 1, Failure: err.Error()}, false
	}
	s := &session{agent: a, conn: conn, in: in, out: out, req: req, work: work}
	if !req.Detach {
		end = s.run()
		return end, s.gone.Load()
	}
	if err := s.detach(); err != nil {
		return frame.End{Status: 1, Failure: err.Error()}, false
	}
	return frame.End{}, false
}
