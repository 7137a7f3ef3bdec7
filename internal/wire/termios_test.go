//go:build linux || darwin

package wire

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"golang.org/x/sys/unix"
)

// randomTermios is any that can be said in the modes of RFC 4254 §8: these
// know characters of 7 and 8 bits, and no control character of value 255.
func randomTermios() *unix.Termios {
	var t unix.Termios
	for _, f := range modeFlags {
		if f.word != controlFlags && rand.N(2) == 0 {
			setFlags(&t, f.word, getFlags(&t, f.word)|f.bit)
		}
	}
	t.Cflag = flagType([]uint64{unix.CS7, unix.CS8}[rand.N(2)])
	for _, bit := range []uint64{unix.PARENB, unix.PARODD} {
		t.Cflag |= flagType(bit * rand.N(uint64(2)))
	}
	for _, i := range controlChars {
		t.Cc[i] = byte(rand.N(255))
	}
	return &t
}

func TestModesTravelWholeWhateverTheTerminalHadBefore(t *testing.T) {
	for range 20 * *trials {
		want, got := randomTermios(), randomTermios()
		ApplyModes(got, EncodeModes(want))
		if *got != *want {
			t.Fatalf("modes\n%+v came as\n%+v", want, got)
		}
	}
}

func TestModesLeaveAloneWhatTheyDoNotName(t *testing.T) {
	before := randomTermios()
	before.Cflag |= unix.CLOCAL | unix.HUPCL
	after := *before
	ApplyModes(&after, []byte{modeEnd})
	ApplyModes(&after, nil)
	if after != *before {
		t.Errorf("empty modes made\n%+v of\n%+v", after, *before)
	}
	ApplyModes(&after, EncodeModes(randomTermios()))
	if after.Cflag&(unix.CLOCAL|unix.HUPCL) != unix.CLOCAL|unix.HUPCL {
		t.Errorf("flags that have no opcode were changed: %x", after.Cflag)
	}
}

// modes encodes pairs of an opcode and its argument.
func modes(pairs ...uint32) (b []byte) {
	for i := 0; i < len(pairs); i += 2 {
		b = binary.BigEndian.AppendUint32(append(b, byte(pairs[i])), pairs[i+1])
	}
	return b
}

func TestModesAreReadAsRFC4254SaysThem(t *testing.T) {
	const vintr, echo, onlcr, cs7, cs8, iutf8 = 1, 53, 72, 90, 91, 42
	for _, tt := range []struct {
		name  string
		modes []byte
		want  unix.Termios
	}{
		{"a control character", modes(vintr, 3, 0, 0), unix.Termios{Cc: cc(unix.VINTR, 3)}},
		{"one that is switched off", modes(vintr, 255, 0, 0), unix.Termios{Cc: cc(unix.VINTR, vdisable)}},
		{"a flag, by any value but 0", modes(echo, 0x100, 0, 0), unix.Termios{Lflag: unix.ECHO}},
		{"IUTF8 of RFC 8160", modes(iutf8, 1, 0, 0), unix.Termios{Iflag: unix.IUTF8}},
		{"the last word on a flag", modes(onlcr, 1, onlcr, 0, 0, 0), unix.Termios{}},
		{"7 bits are no 8", modes(cs8, 1, cs7, 1, 0, 0), unix.Termios{Cflag: unix.CS7}},
		{"8 bits, and not 7", modes(cs7, 0, cs8, 1, 0, 0), unix.Termios{Cflag: unix.CS8}},
		{"an unknown opcode is passed over", modes(99, 7, echo, 1, 0, 0), unix.Termios{Lflag: unix.ECHO}},
		{"speeds are passed over", modes(128, 9600, 129, 9600, echo, 1), unix.Termios{Lflag: unix.ECHO}},
		{"what comes after the end", modes(0, 0, echo, 1), unix.Termios{}},
		{"what comes after an opcode of unknown form", modes(160, 1, echo, 1), unix.Termios{}},
		{"a list that is cut short, as far as it goes", modes(echo, 1, onlcr, 1)[:9], unix.Termios{Lflag: unix.ECHO}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got unix.Termios
			ApplyModes(&got, tt.modes)
			if got != tt.want {
				t.Errorf("%x is\n%+v, want\n%+v", tt.modes, got, tt.want)
			}
		})
	}
}

// cc is a terminal's control characters with one set.
func cc(i int, c byte) (all [len(unix.Termios{}.Cc)]byte) {
	all[i] = c
	return all
}

func FuzzApplyModes(f *testing.F) {
	f.Add(EncodeModes(randomTermios()))
	f.Add([]byte{53, 0, 0, 0, 1, 0})
	f.Add([]byte{160, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		var once unix.Termios
		ApplyModes(&once, b)
		twice := once
		ApplyModes(&twice, b)
		if twice != once {
			t.Errorf("%x makes %+v, and of that %+v", b, once, twice)
		}
		// What it makes can be said again, but for a character of value 255,
		// which means one that is switched off.
		again := once
		ApplyModes(&again, EncodeModes(&once))
		if again.Lflag != once.Lflag || again.Iflag != once.Iflag || again.Oflag != once.Oflag || again.Cflag != once.Cflag {
			t.Errorf("%x makes %+v, which is said as %+v", b, once, again)
		}
		if !bytes.HasSuffix(EncodeModes(&once), []byte{modeEnd}) {
			t.Error("modes without an end")
		}
	})
}
