//go:build linux || darwin

package wire

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Encoded terminal modes, RFC 4254 §8 with IUTF8 of RFC 8160: pairs of an
// opcode and a uint32, closed by opcode 0.
const (
	modeEnd       = 0
	firstUnknown  = 160 // opcodes from here on have no defined argument
	charDisabled  = 255 // a control character that is switched off
	inputSpeedOp  = 128
	outputSpeedOp = 129
)

// controlChars maps opcodes to indices of c_cc.
var controlChars = map[byte]int{
	1: unix.VINTR, 2: unix.VQUIT, 3: unix.VERASE, 4: unix.VKILL, 5: unix.VEOF,
	6: unix.VEOL, 7: unix.VEOL2, 8: unix.VSTART, 9: unix.VSTOP, 10: unix.VSUSP,
	12: unix.VREPRINT, 13: unix.VWERASE, 14: unix.VLNEXT, 18: unix.VDISCARD,
}

type flagWord int

const (
	inputFlags flagWord = iota
	localFlags
	outputFlags
	controlFlags
)

type modeFlag struct {
	op   byte
	word flagWord
	bit  uint64
}

// modeFlags are the flags that Linux and macOS share.
var modeFlags = []modeFlag{
	{30, inputFlags, unix.IGNPAR}, {31, inputFlags, unix.PARMRK}, {32, inputFlags, unix.INPCK},
	{33, inputFlags, unix.ISTRIP}, {34, inputFlags, unix.INLCR}, {35, inputFlags, unix.IGNCR},
	{36, inputFlags, unix.ICRNL}, {38, inputFlags, unix.IXON}, {39, inputFlags, unix.IXANY},
	{40, inputFlags, unix.IXOFF}, {41, inputFlags, unix.IMAXBEL}, {42, inputFlags, unix.IUTF8},
	{50, localFlags, unix.ISIG}, {51, localFlags, unix.ICANON}, {53, localFlags, unix.ECHO},
	{54, localFlags, unix.ECHOE}, {55, localFlags, unix.ECHOK}, {56, localFlags, unix.ECHONL},
	{57, localFlags, unix.NOFLSH}, {58, localFlags, unix.TOSTOP}, {59, localFlags, unix.IEXTEN},
	{60, localFlags, unix.ECHOCTL}, {61, localFlags, unix.ECHOKE}, {62, localFlags, unix.PENDIN},
	{70, outputFlags, unix.OPOST}, {72, outputFlags, unix.ONLCR}, {73, outputFlags, unix.OCRNL},
	{74, outputFlags, unix.ONOCR}, {75, outputFlags, unix.ONLRET},
	{90, controlFlags, unix.CS7}, {91, controlFlags, unix.CS8},
	{92, controlFlags, unix.PARENB}, {93, controlFlags, unix.PARODD},
}

// EncodeModes returns t's modes in the form of RFC 4254 §8.
func EncodeModes(t *unix.Termios) []byte {
	var b []byte
	add := func(op byte, v uint32) {
		b = binary.BigEndian.AppendUint32(append(b, op), v)
	}
	add(inputSpeedOp, 38400) // a PTY has no speed; this is what sshd expects
	add(outputSpeedOp, 38400)
	for op := byte(1); op < 30; op++ {
		i, ok := controlChars[op]
		if !ok {
			continue
		}
		c := uint32(t.Cc[i])
		if t.Cc[i] == vdisable {
			c = charDisabled
		}
		add(op, c)
	}
	for _, f := range modeFlags {
		v := uint32(0)
		if getFlags(t, f.word)&f.mask() == f.bit {
			v = 1
		}
		add(f.op, v)
	}
	return append(b, modeEnd)
}

// ApplyModes changes t as encoded modes say. Unknown opcodes are passed over;
// a list that is cut short is applied as far as it goes, as sshd does.
func ApplyModes(t *unix.Termios, b []byte) {
	for len(b) >= 5 && b[0] != modeEnd && b[0] < firstUnknown {
		applyMode(t, b[0], binary.BigEndian.Uint32(b[1:5]))
		b = b[5:]
	}
}

func applyMode(t *unix.Termios, op byte, v uint32) {
	if i, ok := controlChars[op]; ok {
		t.Cc[i] = byte(v)
		if v == charDisabled {
			t.Cc[i] = vdisable
		}
		return
	}
	for _, f := range modeFlags {
		if f.op != op {
			continue
		}
		flags := getFlags(t, f.word)
		if v != 0 {
			setFlags(t, f.word, flags&^f.mask()|f.bit)
		} else if f.mask() != unix.CSIZE { // that it is not this size says not which
			setFlags(t, f.word, flags&^f.bit)
		}
	}
}

// mask is the field that a flag is a value of: character sizes are values of
// CSIZE, every other flag is a bit of its own.
func (f modeFlag) mask() uint64 {
	if f.word == controlFlags && f.bit&unix.CSIZE != 0 {
		return unix.CSIZE
	}
	return f.bit
}

func getFlags(t *unix.Termios, w flagWord) uint64 {
	switch w {
	case inputFlags:
		return uint64(t.Iflag)
	case localFlags:
		return uint64(t.Lflag)
	case outputFlags:
		return uint64(t.Oflag)
	}
	return uint64(t.Cflag)
}

func setFlags(t *unix.Termios, w flagWord, v uint64) {
	switch w {
	case inputFlags:
		t.Iflag = flagType(v)
	case localFlags:
		t.Lflag = flagType(v)
	case outputFlags:
		t.Oflag = flagType(v)
	case controlFlags:
		t.Cflag = flagType(v)
	}
}
