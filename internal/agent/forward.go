//go:build linux

package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"

	"github.com/snugvm/snug/internal/wire"
	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

// maxTaken bounds the connections of programs that the agent carries to the
// keeper at a time. Later ones wait in their listener's queue.
const maxTaken = 512

// forwards are what one connection to the keeper forwards. They end with it:
// the next connection asks for its own. It is the agent as that connection sees
// it, and implements wire.Forwarder.
type forwards struct {
	*Agent
	ctx    context.Context
	end    context.CancelFunc
	wg     sync.WaitGroup
	places chan struct{}
	conn   ssh.Conn

	mu        sync.Mutex
	over      bool
	listeners map[wire.Address][]net.Listener
	ends      map[io.Closer]bool
}

func (a *Agent) forwards() *forwards {
	f := &forwards{
		Agent: a, places: make(chan struct{}, maxTaken),
		listeners: make(map[wire.Address][]net.Listener), ends: make(map[io.Closer]bool),
	}
	f.ctx, f.end = context.WithCancel(context.Background())
	return f
}

// Connected comes first.
func (f *forwards) Connected(conn ssh.Conn) {
	f.conn = conn
	f.setCurrent(f)
}

// Disconnected ends all that the connection had, and waits for it.
func (f *forwards) Disconnected() {
	f.setCurrent(nil)
	f.end()
	f.mu.Lock()
	f.over = true
	for _, all := range f.listeners {
		f.closeAll(all)
	}
	for c := range f.ends {
		_ = c.Close()
	}
	f.mu.Unlock()
	f.wg.Wait()
}

// hold has c closed at the connection's end, if not before. It reports whether
// there is time left for it.
func (f *forwards) hold(c io.Closer) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		_ = c.Close()
		return false
	}
	f.ends[c] = true
	return true
}

func (f *forwards) drop(c io.Closer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.ends, c)
}

// Channel connects to what the keeper wants to reach.
func (f *forwards) Channel(nc ssh.NewChannel) {
	to, err := wire.ParseDial(nc)
	var c wire.Duplex
	if err == nil {
		c, err = f.reach(to)
	}
	if err != nil {
		_ = nc.Reject(ssh.ConnectionFailed, unreached(to, err).Error())
		return
	}
	if !f.hold(c) {
		_ = nc.Reject(ssh.ConnectionFailed, "the connection has ended")
		return
	}
	defer f.drop(c)
	ch, reqs, err := nc.Accept()
	if err != nil {
		_ = c.Close()
		return
	}
	wire.Splice(wire.NewEnd(ch, reqs), wire.NetEnd(c))
}

// reach connects to an address as programs of the machine would.
func (f *forwards) reach(to wire.Address) (c wire.Duplex, err error) {
	if f.proxy != nil { // this process is in another network, on another file system
		return nil, noAgent("forwarding")
	}
	if to.Path != "" {
		err = f.asUser(func() error {
			socket, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: to.Path, Net: "unix"})
			c = socket
			return err
		})
		return c, err
	}
	for _, host := range hosts(to.Host) {
		address := net.JoinHostPort(host, strconv.Itoa(int(to.Port)))
		tcp, failed := new(net.Dialer).DialContext(f.ctx, "tcp", address)
		if failed == nil {
			return tcp.(*net.TCPConn), nil //nolint:forcetypeassert // DialContext has made it of "tcp"
		}
		if err == nil { // the first address is the usual one
			err = failed
		}
	}
	return nil, err
}

// unreached is why an address cannot be reached, without what the system's own
// words repeat of it.
func unreached(to wire.Address, err error) error {
	if errno, ok := errors.AsType[unix.Errno](err); ok {
		return fmt.Errorf("%v in the machine: %w", to, errno)
	}
	return err
}

// hosts are the addresses that a name stands for, where a machine need not know
// it: a container may have no /etc/hosts.
func hosts(name string) []string {
	if name == "localhost" {
		return []string{"127.0.0.1", "::1"}
	}
	return []string{name}
}

// Forward listens for the keeper, or no longer.
func (f *forwards) Forward(req *ssh.Request) {
	at, err := wire.ParseListen(req)
	var reply []byte
	switch {
	case err != nil:
	case req.Type == wire.RequestUnlistenTCP || req.Type == wire.RequestUnlistenUnix:
		err = f.unlisten(at)
	default:
		var is wire.Address
		is, err = f.listen(at)
		reply = wire.ListenReply(at, is)
	}
	if req.WantReply {
		_ = req.Reply(err == nil, reply)
	}
}

func (f *forwards) unlisten(at wire.Address) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	all, ok := f.listeners[at]
	if !ok {
		return errors.New("nothing listens there")
	}
	delete(f.listeners, at)
	f.closeAll(all)
	return nil
}

// listen listens at an address and tells the keeper of who comes.
func (f *forwards) listen(at wire.Address) (wire.Address, error) {
	if f.proxy != nil {
		return at, noAgent("forwarding")
	}
	all, is, err := f.bind(at)
	if err != nil {
		return at, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over || f.listeners[is] != nil {
		f.closeAll(all)
		return at, errors.New("it is taken")
	}
	f.listeners[is] = all
	for _, l := range all {
		f.wg.Go(func() {
			f.accept(l, func(c net.Conn) (string, []byte) { return wire.Taken(is, c.RemoteAddr().String()) })
		})
	}
	return is, nil
}

// closeAll closes listeners with the rights that have made them.
func (f *forwards) closeAll(all []net.Listener) {
	_ = f.asUser(func() error {
		for _, l := range all {
			_ = l.Close()
		}
		return nil
	})
}

// bind makes the listeners of an address: for localhost, of both families where
// the machine has them.
func (f *forwards) bind(at wire.Address) (all []net.Listener, is wire.Address, err error) {
	if at.Path != "" {
		l, err := f.listenUnix(at.Path)
		return []net.Listener{l}, at, err
	}
	for _, host := range hosts(at.Host) {
		if host == "*" {
			host = ""
		}
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(int(at.Port))))
		if err != nil {
			if len(all) > 0 {
				break // one family is enough
			}
			return nil, at, err
		}
		all = append(all, l)
		if tcp, ok := l.Addr().(*net.TCPAddr); ok {
			at.Port = uint32(tcp.Port)
		}
	}
	return all, at, nil
}

// listenUnix makes a socket that is the user's alone.
func (a *Agent) listenUnix(path string) (l net.Listener, err error) {
	err = a.asUser(func() error {
		if l, err = net.Listen("unix", path); err != nil {
			return err
		}
		if err = os.Chmod(path, 0o600); err != nil {
			_ = l.Close()
		}
		return err
	})
	return l, err
}

// accept carries a listener's connections to the keeper until it is closed. Of
// tells the keeper's side what they are.
func (f *forwards) accept(l net.Listener, of func(net.Conn) (kind string, payload []byte)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		select {
		case f.places <- struct{}{}:
		case <-f.ctx.Done():
			_ = c.Close()
			return
		}
		kind, payload := of(c)
		f.wg.Go(func() {
			defer func() { <-f.places }()
			f.take(c, kind, payload)
		})
	}
}

// take carries one connection to the keeper, if it wants it.
func (f *forwards) take(c net.Conn, kind string, payload []byte) {
	d, ok := c.(wire.Duplex)
	if !ok || !f.hold(c) {
		return
	}
	defer f.drop(c)
	end, err := wire.OpenEnd(f.conn, kind, payload)
	if err != nil {
		_ = c.Close()
		return
	}
	wire.Splice(end, wire.NetEnd(d))
}

// asUser does something with the rights of programs to files, where the agent
// has more of its own. They are a thread's, which ends with it.
func (a *Agent) asUser(do func() error) error {
	who := a.cfg.credential()
	if who == nil {
		return do()
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		// The calls return what was before, which is all they say.
		_, _ = unix.SetfsgidRetGid(int(who.Gid))
		_, _ = unix.SetfsuidRetUid(int(who.Uid))
		if uid, err := unix.SetfsuidRetUid(-1); err != nil || uid != int(who.Uid) {
			done <- fmt.Errorf("take the rights of user %d: %w", who.Uid, unix.EPERM)
			return
		}
		done <- do()
	}()
	return <-done
}
