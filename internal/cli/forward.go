package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os/signal"
	"strings"
	"sync"

	"github.com/snugvm/snug/internal/socks"
	"github.com/snugvm/snug/internal/state"
	"github.com/snugvm/snug/internal/wire"
	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

func (a *app) forwardCommand() *cobra.Command {
	var local, remote, dynamic []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "forward [flags] MACHINE [PORT[:[HOST:]PORT]...]",
		Short: "Forward ports between the host and a machine",
		Long: `Forward listens on the host and connects to what the machine reaches, or the
other way round, until it is interrupted. PORT alone is that port of the machine's
loopback; PORT:PORT has another number on the host, and PORT:HOST:PORT is a host
that the machine reaches. -L, -R and -D are as those of ssh; port 0 is any that is
free.

On the host 127.0.0.1 listens, unless BIND says otherwise, and in the machine its
loopback. It says what listens, then nothing: with --json as one line, an object
with machine and forwards, each of which has kind (local, remote, socks), listen
and to.`,
		Example: `  snug forward web-1 8080
  snug forward web-1 8080:80 5432:db:5432
  snug forward web-1 -R 9000:localhost:9000
  snug forward web-1 -D 1080 -L 0.0.0.0:8080:localhost:80`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			all, err := parseForwards(args[1:], local, remote, dynamic)
			if err != nil {
				return err
			}
			return a.forward(args[0], all, asJSON)
		},
		ValidArgsFunction: a.completeMachine,
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringArrayVarP(&local, "local", "L", nil, "from the host to the machine: `[BIND:]PORT:HOST:PORT`, or paths of unix sockets")
	f.StringArrayVarP(&remote, "remote", "R", nil, "from the machine to the host: `[BIND:]PORT:HOST:PORT`, or paths")
	f.StringArrayVarP(&dynamic, "dynamic", "D", nil, "a SOCKS proxy on the host into the machine's network: `[BIND:]PORT`")
	f.BoolVar(&asJSON, "json", false, "say what listens as one line of JSON")
	return cmd
}

func parseForwards(short, local, remote, dynamic []string) (all []forward, err error) {
	for _, group := range []struct {
		kind  string
		texts []string
		short bool
	}{{forwardLocal, short, true}, {forwardLocal, local, false}, {forwardRemote, remote, false}, {forwardSOCKS, dynamic, false}} {
		for _, text := range group.texts {
			f, err := parseForward(group.kind, text, group.short)
			if err != nil {
				return nil, err
			}
			all = append(all, f)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("say what to forward: a port such as 8080, or -L, -R or -D")
	}
	return all, nil
}

// forwarder carries connections until it is closed.
type forwarder struct {
	app     *app
	machine string
	conn    ssh.Conn
	wg      sync.WaitGroup

	mu        sync.Mutex
	over      bool
	listeners []net.Listener
	ends      map[wire.Duplex]bool
	offered   map[wire.Address]wire.Address // what the machine may reach, by where it listens
	settled   chan struct{}                 // closed when offered is complete
}

// forward is the command.
func (a *app) forward(name string, all []forward, asJSON bool) error {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, stop) // a second one ends this process at once
	m, err := a.living(ctx, name)
	if err != nil {
		return err
	}
	f := &forwarder{app: a, machine: name, ends: map[wire.Duplex]bool{}, offered: map[wire.Address]wire.Address{}, settled: make(chan struct{})}
	if f.conn, err = joinTaking(m, f.accept); err != nil {
		return err
	}
	defer f.close()
	for i := range all {
		if err := f.begin(&all[i]); err != nil {
			return err
		}
	}
	close(f.settled)
	if err := a.sayForwards(name, all, asJSON); err != nil {
		return err
	}
	uninterrupted := context.AfterFunc(ctx, func() { _ = f.conn.Close() })
	_ = f.conn.Wait()
	if uninterrupted() {
		return &statusError{statusLost, fmt.Errorf("machine %s is gone", name)}
	}
	return &statusError{128 + int(unix.SIGINT), nil}
}

// joinTaking connects to a machine's keeper and takes connections from it.
func joinTaking(m state.Machine, accept func(ssh.NewChannel)) (ssh.Conn, error) {
	var spec machineSpec
	if err := m.ReadConfig(&spec); err != nil {
		return nil, err
	}
	key, err := ssh.NewPublicKey(spec.keeperKey().Public())
	if err != nil {
		return nil, fmt.Errorf("keeper's key: %w", err)
	}
	socket, err := net.Dial("unix", m.SSHSocket())
	if err != nil {
		return nil, fmt.Errorf("reach the keeper of %s: %w", m.Name, err)
	}
	conn, err := wire.Client(socket, wire.Peer{HostKey: key, Accept: accept})
	if err != nil {
		return nil, fmt.Errorf("machine %s is ending: try again: %w", m.Name, err)
	}
	return conn, nil
}

// begin begins one forward, and notes where it listens.
func (f *forwarder) begin(what *forward) error {
	if what.kind == forwardRemote {
		at, err := wire.AskListen(f.conn, what.listen)
		if err != nil {
			return fmt.Errorf("in %s: %w", f.machine, err)
		}
		what.listen = at
		f.mu.Lock()
		defer f.mu.Unlock()
		f.offered[at] = what.to
		return nil
	}
	network := "tcp"
	if what.listen.Path != "" {
		network = "unix"
	}
	l, err := net.Listen(network, what.listen.String())
	if err != nil {
		return err
	}
	if tcp, ok := l.Addr().(*net.TCPAddr); ok {
		what.listen.Port = uint32(tcp.Port)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listeners = append(f.listeners, l)
	f.wg.Go(func() { f.serve(l, what.to) })
	return nil
}

// serve connects those who come to a listener; to nowhere is where they say.
func (f *forwarder) serve(l net.Listener, to wire.Address) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		f.carry(c, func(c wire.Duplex) {
			if to == (wire.Address{}) {
				f.proxy(c)
				return
			}
			if far, ok := f.dial(to); ok {
				wire.Splice(wire.NetEnd(c), far)
			}
		})
	}
}

// carry does something with a connection, which ends with the forwarder at the
// latest.
func (f *forwarder) carry(c net.Conn, do func(wire.Duplex)) {
	d, ok := c.(wire.Duplex)
	f.mu.Lock()
	defer f.mu.Unlock()
	if !ok || f.over {
		_ = c.Close()
		return
	}
	f.ends[d] = true
	f.wg.Go(func() {
		do(d)
		_ = d.Close()
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.ends, d)
	})
}

// dial reaches into the machine, or tells why it cannot.
func (f *forwarder) dial(to wire.Address) (wire.End, bool) {
	far, err := wire.AskDial(f.conn, to)
	if refused, ok := errors.AsType[*ssh.OpenChannelError](err); ok {
		_, _ = fmt.Fprintln(f.app.err, "snug:", oneLine(refused.Message))
	}
	return far, err == nil
}

// proxy serves a client that says itself what it wants to reach.
func (f *forwarder) proxy(c wire.Duplex) {
	r, err := socks.Read(c)
	if err != nil {
		return
	}
	far, ok := f.dial(wire.Address{Host: r.Host, Port: uint32(r.Port)})
	if err := r.Reply(c, ok); ok && err == nil {
		wire.Splice(wire.NetEnd(c), far)
	} else if ok {
		_ = far.Close()
	}
}

// accept connects the machine to what it was offered.
func (f *forwarder) accept(nc ssh.NewChannel) {
	<-f.settled
	at, err := wire.ParseTaken(nc)
	f.mu.Lock()
	to, offered := f.offered[at]
	f.mu.Unlock()
	if err != nil || !offered {
		wire.Refuse(nc)
		return
	}
	network := "tcp"
	if to.Path != "" {
		network = "unix"
	}
	c, err := net.Dial(network, to.String())
	if err != nil {
		_, _ = fmt.Fprintln(f.app.err, "snug:", printable(err.Error()))
		_ = nc.Reject(ssh.ConnectionFailed, "the host does not reach it")
		return
	}
	ch, reqs, err := nc.Accept()
	if err != nil {
		_ = c.Close()
		return
	}
	f.carry(c, func(c wire.Duplex) { wire.Splice(wire.NetEnd(c), wire.NewEnd(ch, reqs)) })
}

// close ends all, and waits for it.
func (f *forwarder) close() {
	_ = f.conn.Close()
	f.mu.Lock()
	f.over = true
	for _, l := range f.listeners {
		_ = l.Close()
	}
	for c := range f.ends {
		_ = c.Close()
	}
	f.mu.Unlock()
	f.wg.Wait()
}

// sayForwards says what listens.
func (a *app) sayForwards(machine string, all []forward, asJSON bool) error {
	type one struct {
		Kind   string `json:"kind"`
		Listen string `json:"listen"`
		To     string `json:"to,omitempty"`
	}
	said := struct {
		Machine  string `json:"machine"`
		Forwards []one  `json:"forwards"`
	}{Machine: machine}
	var lines strings.Builder
	for _, f := range all {
		o := one{f.kind, f.listen.String(), f.to.String()}
		from, to := "", " in "+machine
		if f.kind == forwardRemote {
			from, to = to, ""
		}
		if f.kind == forwardSOCKS {
			o.To = ""
			fmt.Fprintf(&lines, "%s is a SOCKS proxy into %s\n", o.Listen, machine)
		} else {
			fmt.Fprintf(&lines, "%s%s leads to %s%s\n", o.Listen, from, o.To, to)
		}
		said.Forwards = append(said.Forwards, o)
	}
	if asJSON {
		return json.NewEncoder(a.out).Encode(said)
	}
	_, err := fmt.Fprint(a.out, lines.String())
	return err
}
