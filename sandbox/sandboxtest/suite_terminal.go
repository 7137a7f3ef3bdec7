package sandboxtest

import (
	"fmt"
	"os"
	"strings"

	"github.com/snugvm/snug/internal/wire"
	"golang.org/x/sys/unix"
)

var startChecks = []check{
	{name: "a program runs and its exit status comes back", run: func(r *rig) {
		r.start(r.probe("exit", "42")).WantExit(42)
	}},
}

var sizeChecks = []check{
	{name: "the first system call sees the size, in cells and pixels", run: firstSizeIsThere},
	{name: "every later size reaches the program", run: laterSizesArrive},
	{name: "the last of a storm of sizes wins", run: lastSizeWins},
	{name: "a size that comes while the program starts is not lost", run: sizeDuringStart},
	{name: "a size stays within its session", run: sizesDoNotCross},
}

func sizeLine(s wire.Size) string {
	return fmt.Sprintf("size %d %d %d %d\r\n", s.Rows, s.Cols, s.XPixel, s.YPixel)
}

func firstSizeIsThere(r *rig) {
	for range r.s.Trials {
		p := r.start(r.onPTY("size"))
		p.WantExit(0)
		r.wantOutput(p, sizeLine(firstSize))
	}
}

func laterSizesArrive(r *rig) {
	p := r.start(r.onPTY("watch"))
	p.Expect(sizeLine(firstSize))
	for i := range uint16(r.s.Trials) {
		size := wire.Size{Rows: 50 + i, Cols: 10 + i, XPixel: 100 + i, YPixel: 65535 - i}
		p.Resize(size)
		p.Expect(sizeLine(size))
	}
	p.Type("\x04")
	p.WantExit(0)
}

func lastSizeWins(r *rig) {
	p := r.start(r.onPTY("watch"))
	p.Expect(sizeLine(firstSize))
	last := firstSize
	for trial := range uint16(r.s.Trials) {
		for i := range uint16(200) {
			last = wire.Size{Rows: 1 + i, Cols: 1 + trial, XPixel: i, YPixel: trial}
			p.Resize(last)
		}
		p.Expect(sizeLine(last))
	}
	// A last size stays: what comes next answers the next resize. It may be told
	// once more, as the program may read it for two resizes.
	p.Resize(firstSize)
	p.Expect(sizeLine(firstSize))
	_, next, _ := strings.Cut(p.Stdout(), sizeLine(last))
	if next = strings.ReplaceAll(next, sizeLine(last), ""); next != sizeLine(firstSize) {
		r.t.Errorf("after the last size came %q", next)
	}
	_ = p.CloseWrite() // on a terminal the end of input is ^D
	p.WantExit(0)
}

func sizeDuringStart(r *rig) {
	for i := range uint16(r.s.Trials) {
		p := r.start(r.onPTY("watch"))
		size := wire.Size{Rows: 7 + i, Cols: 9, XPixel: 1, YPixel: 2}
		p.Resize(size)
		p.Expect(sizeLine(size))
		p.Type("\x04")
		p.WantExit(0)
	}
}

func sizesDoNotCross(r *rig) {
	a, b := r.start(r.onPTY("watch")), r.start(r.onPTY("watch"))
	a.Expect(sizeLine(firstSize))
	b.Expect(sizeLine(firstSize))
	sizeA, sizeB := wire.Size{Rows: 10, Cols: 20}, wire.Size{Rows: 30, Cols: 40}
	a.Resize(sizeA)
	a.Expect(sizeLine(sizeA))
	b.Resize(sizeB)
	b.Expect(sizeLine(sizeB))
	for p, want := range map[*Process]string{a: sizeLine(firstSize) + sizeLine(sizeA), b: sizeLine(firstSize) + sizeLine(sizeB)} {
		p.Type("\x04")
		p.WantExit(0)
		if got := strings.TrimSuffix(p.Stdout(), "^D\b\b"); got != want {
			r.t.Errorf("one of two sessions saw %q, want %q", got, want)
		}
	}
}

var terminalChecks = []check{
	{name: "an unknown terminal comes with its description", needs: Terminfo, run: terminfoIsDelivered},
	{name: "an unknown terminal without description is replaced by a known one, and that is said", run: unknownTermIsReplaced},
	{name: "terminal modes are set before the program runs", run: modesAreSet},
	{name: "the program leads its session, on its terminal, in the foreground, and is not process 1", run: programLeads},
	{name: "environment and working directory are as asked for", run: environmentIsExact},
	{name: "no variable of the host gets in by itself", run: hostVariablesStayOut},
}

func terminfoIsDelivered(r *rig) {
	s := r.onPTY("term")
	s.Pty.Term, s.Pty.Terminfo = "snug-unheard-of", Sequence("terminfo", 4<<10)
	p := r.start(s)
	p.WantExit(0)
	r.wantOutput(p, fmt.Sprintf("term=%q entry=%x\r\n", s.Pty.Term, s.Pty.Terminfo))
}

func unknownTermIsReplaced(r *rig) {
	s := r.onPTY("env", "TERM")
	s.Pty.Term = "snug-never-heard-of"
	p := r.start(s)
	p.WantExit(0)
	if out := p.Stdout(); strings.Contains(out, s.Pty.Term) || strings.Contains(out, `TERM=""`) {
		r.t.Errorf("the program is told %q", out)
	}
	if !strings.Contains(p.Notices(), s.Pty.Term) {
		r.t.Errorf("the person is told %q", p.Notices())
	}
}

func modesAreSet(r *rig) {
	for _, on := range []bool{true, false} {
		var t unix.Termios
		t.Cc[unix.VINTR], t.Cc[unix.VERASE] = 7, 8
		t.Cflag = unix.CS8
		if on {
			t.Iflag, t.Lflag, t.Oflag = unix.IUTF8, unix.ECHO, unix.OPOST|unix.ONLCR
		}
		s := r.onPTY("modes")
		s.Pty.Modes = wire.EncodeModes(&t)
		p := r.start(s)
		p.WantExit(0)
		end := "\n"
		if on {
			end = "\r\n"
		}
		r.wantOutput(p, fmt.Sprintf("intr=7 erase=8 echo=%t iutf8=%t onlcr=%t%s", on, on, on, end))
	}
}

func programLeads(r *rig) {
	p := r.start(r.onPTY("who"))
	p.WantExit(0)
	if out := p.Stdout(); strings.HasPrefix(out, "pid=1 ") || !strings.HasSuffix(out, " leader=true foreground=true\r\n") {
		r.t.Errorf("the program is %q", out)
	}
}

func environmentIsExact(r *rig) {
	value := "two words, \"quoted\" = ü\nand a line\t"
	s := r.probe("env", "SNUG_A", "SNUG_EMPTY", "SNUG_TWICE")
	s.Dir = r.s.Dir
	s.Env = []wire.Env{{Name: "SNUG_A", Value: value}, {Name: "SNUG_EMPTY"}, {Name: "SNUG_TWICE", Value: "1"}, {Name: "SNUG_TWICE", Value: "2"}}
	p := r.start(s)
	p.WantExit(0)
	r.wantOutput(p, fmt.Sprintf("dir=%q\nSNUG_A=%q\nSNUG_EMPTY=\"\"\nSNUG_TWICE=\"2\"\n", r.s.Dir, value))
}

func hostVariablesStayOut(r *rig) {
	name := "SNUG_OF_THE_HOST_" + wire.NewID() // not t.Setenv: suites run beside each other
	if err := os.Setenv(name, "secret"); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = os.Unsetenv(name) })
	p := r.start(r.probe("env", name))
	p.WantExit(0)
	if !strings.HasSuffix(p.Stdout(), name+"=\"\"\n") {
		r.t.Errorf("the program sees %q", p.Stdout())
	}
}
