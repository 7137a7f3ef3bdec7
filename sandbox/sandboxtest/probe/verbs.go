//go:build linux

package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

var verbs = map[string]func(args []string) error{
	"size": size, "watch": watch, "modes": modes, "who": who, "env": env, "term": term,
	"exit": exit, "die": die, "both": both, "emit": emit, "check": check, "duplex": duplex, "echo": echo,
	"tail": tail, "linger": linger, "flood": flood, "signals": signals,
	"cat": cat, "await": await, "ledger": ledger,
}

// status is an exit status as an error.
type status int

func (s status) Error() string { return "exit status " + strconv.Itoa(int(s)) }

// run does one verb and returns the exit status. Where COUNT names a file, it
// notes first that it runs.
func run(verb string, args []string) int {
	if name := os.Getenv("COUNT"); name != "" {
		if err := count(name); err != nil {
			fmt.Fprintln(os.Stderr, "probe:", err)
			return 3
		}
	}
	f := verbs[verb]
	if f == nil {
		return 2
	}
	err := f(args)
	if s, ok := err.(status); ok { //nolint:errorlint // never wrapped: a verb returns it as it is
		return int(s)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		return 1
	}
	return 0
}

func count(name string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return err
	}
	_, err = f.WriteString("x")
	return errorsOr(err, f.Close())
}

func errorsOr(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

// size says the terminal's size. It is read before anything else is done.
func size([]string) error {
	ws, err := unix.IoctlGetWinsize(1, unix.TIOCGWINSZ)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "size %d %d %d %d\n", ws.Row, ws.Col, ws.Xpixel, ws.Ypixel)
	return nil
}

// watch says the size now and after each change, until input ends.
func watch([]string) error {
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, unix.SIGWINCH)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, os.Stdin)
	}()
	for {
		if err := size(nil); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ended:
			return nil
		}
	}
}

func modes([]string) error {
	t, err := unix.IoctlGetTermios(0, unix.TCGETS)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "intr=%d erase=%d echo=%t iutf8=%t onlcr=%t\n", t.Cc[unix.VINTR], t.Cc[unix.VERASE],
		t.Lflag&unix.ECHO != 0, t.Iflag&unix.IUTF8 != 0, t.Oflag&unix.ONLCR != 0)
	return nil
}

// who says what the program is: process, session, terminal.
func who([]string) error {
	sid, err := unix.Getsid(0)
	if err != nil {
		return err
	}
	group, err := unix.IoctlGetInt(0, unix.TIOCGPGRP)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "pid=%d leader=%t foreground=%t\n", os.Getpid(), sid == os.Getpid(), group == os.Getpid())
	return nil
}

// env says variables and the working directory, each quoted.
func env(names []string) error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "dir=%q\n", dir)
	for _, n := range names {
		fmt.Fprintf(os.Stdout, "%s=%q\n", n, os.Getenv(n))
	}
	return nil
}

// term says TERM, and what stands in its delivered description.
func term([]string) error {
	name, dir := os.Getenv("TERM"), os.Getenv("TERMINFO")
	entry, _ := os.ReadFile(filepath.Join(dir, name[:min(1, len(name))], name))
	fmt.Fprintf(os.Stdout, "term=%q entry=%x\n", name, entry)
	return nil
}

func exit(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	return status(n)
}

// die ends the program by a signal.
func die(args []string) error {
	sig := unix.SignalNum("SIG" + args[0])
	signal.Reset(sig)
	if err := unix.Kill(os.Getpid(), sig); err != nil {
		return err
	}
	time.Sleep(time.Minute)
	return nil
}

// both copies input to output and writes to standard error as well.
func both([]string) error {
	fmt.Fprint(os.Stderr, "on standard error")
	_, err := io.Copy(os.Stdout, os.Stdin)
	return err
}

// raw takes the terminal out of the way of bytes, if there is one.
func raw() error {
	t, err := unix.IoctlGetTermios(0, unix.TCGETS)
	if err == unix.ENOTTY {
		return nil
	}
	if err != nil {
		return err
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(0, unix.TCSETS, t)
}

// sequence is the n bytes that a seed names; the suite knows them too.
func sequence(seed string, n int) io.Reader {
	return io.LimitReader(rand.NewChaCha8(sha256.Sum256([]byte(seed))), int64(n))
}

// emit SEED N writes a sequence and nothing else.
func emit(args []string) error {
	n, err := strconv.Atoi(args[1])
	if err == nil {
		err = raw()
	}
	if err == nil {
		_, err = io.Copy(os.Stdout, sequence(args[0], n))
	}
	return err
}

// check SEED N takes a sequence and fails at the first other byte. On pipes
// its input must end there.
func check(args []string) error {
	n, err := strconv.Atoi(args[1])
	if err == nil {
		err = raw()
	}
	if err != nil {
		return err
	}
	fmt.Fprint(os.Stdout, "ready")
	return expect(sequence(args[0], n))
}

func expect(want io.Reader) error {
	var in, w [32 << 10]byte
	for at := 0; ; {
		n, _ := want.Read(w[:])
		if n == 0 {
			break
		}
		if _, err := io.ReadFull(os.Stdin, in[:n]); err != nil {
			return fmt.Errorf("input at %d: %w", at, err)
		}
		if !bytes.Equal(in[:n], w[:n]) {
			return fmt.Errorf("other input within %d bytes from %d", n, at)
		}
		at += n
	}
	if _, err := unix.IoctlGetTermios(0, unix.TCGETS); err == nil {
		return status(42)
	}
	if n, err := os.Stdin.Read(in[:]); err != io.EOF {
		return fmt.Errorf("input goes on with %q, %w", in[:n], err)
	}
	return status(42)
}

// duplex OUT IN N writes one sequence while it takes another.
func duplex(args []string) error {
	n, err := strconv.Atoi(args[2])
	if err == nil {
		err = raw()
	}
	if err != nil {
		return err
	}
	fmt.Fprint(os.Stdout, "ready")
	wrote := make(chan error, 1)
	go func() {
		_, err := io.Copy(os.Stdout, sequence(args[0], n))
		wrote <- err
	}()
	err = expect(sequence(args[1], n))
	if werr := <-wrote; werr != nil {
		return werr
	}
	return err
}

// echo N gives N bytes back, in raw mode, and exits with 42.
func echo(args []string) error {
	n, err := strconv.ParseInt(args[0], 10, 64)
	if err == nil {
		err = raw()
	}
	if err != nil {
		return err
	}
	fmt.Fprint(os.Stdout, "ready")
	if _, err := io.CopyN(os.Stdout, os.Stdin, n); err != nil {
		return err
	}
	return status(42)
}

// tail leaves a background job that holds the terminal.
func tail([]string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	_, err = os.StartProcess(self, []string{self, "linger"}, &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}, Sys: &syscall.SysProcAttr{Setpgid: true},
	})
	fmt.Fprint(os.Stdout, "TAIL")
	return err
}

func linger([]string) error {
	signal.Ignore(unix.SIGHUP)
	time.Sleep(20 * time.Second)
	return nil
}

// flood FILE writes without end, until ^C: then it makes FILE and exits 7.
func flood(args []string) error {
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, unix.SIGINT)
	go func() {
		<-interrupted
		if os.WriteFile(args[0], nil, 0o666) == nil {
			os.Exit(7)
		}
	}()
	line := bytes.Repeat([]byte("flood "), 100)
	for {
		if _, err := os.Stdout.Write(line); err != nil {
			return err
		}
	}
}

// signals says which signals come, until input ends.
func signals([]string) error {
	got := make(chan os.Signal, 16)
	signal.Notify(got, unix.SIGUSR1, unix.SIGUSR2, unix.SIGHUP, unix.SIGTERM, unix.SIGINT, unix.SIGQUIT)
	go func() {
		for s := range got {
			fmt.Fprintf(os.Stdout, "got %s\n", unix.SignalName(s.(syscall.Signal)))
		}
	}()
	fmt.Fprintln(os.Stdout, "ready")
	_, err := bufio.NewReader(os.Stdin).ReadString('\n')
	return err
}

// cat FILE writes a file.
func cat(args []string) error {
	content, err := os.ReadFile(args[0])
	if err == nil {
		_, err = os.Stdout.Write(content)
	}
	return err
}

// await FILE waits until there is a file of that name, which no event tells.
func await(args []string) error {
	for range 3000 {
		if _, err := os.Stat(args[0]); err == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("no %s within 30s", args[0])
}
