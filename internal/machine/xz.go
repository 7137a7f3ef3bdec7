package machine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"

	"github.com/ulikunitz/xz/lzma"
)

// Filters of the .xz file format 1.1.0, section 5.3.
const (
	filterX86   = 0x04
	filterLZMA2 = 0x21
)

const (
	xzHeader   = 12 // of the stream: magic, flags, and their checksum
	checkCRC32 = 1
	maxDict    = 128 << 20
)

var errNotXZ = errors.New("not an xz stream as kernels have it")

// unpackKernelXZ unpacks the one block of an xz stream. It is for kernels of
// x86, whose machine code goes through a filter before it is packed, which the
// xz package does not know.
func unpackKernelXZ(packed []byte) ([]byte, error) {
	if len(packed) < xzHeader+1 {
		return nil, errNotXZ
	}
	check := packed[7]
	size := (int(packed[xzHeader]) + 1) * 4
	if len(packed) < xzHeader+size {
		return nil, errNotXZ
	}
	x86, err := parseBlockHeader(packed[xzHeader+1 : xzHeader+size])
	if err != nil {
		return nil, err
	}
	body := packed[xzHeader+size:]
	rest := bytes.NewReader(body)
	r, err := lzma.Reader2Config{DictCap: maxDict}.NewReader2(rest)
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(r, maxVmlinux))
	if err != nil {
		return nil, err
	}
	if x86 {
		undoX86(out)
	}
	if check == checkCRC32 {
		at := (len(body) - rest.Len() + 3) &^ 3 // padded
		if len(body) < at+4 || binary.LittleEndian.Uint32(body[at:]) != crc32.ChecksumIEEE(out) {
			return nil, errors.New("the kernel's checksum is wrong")
		}
	}
	return out, nil
}

// parseBlockHeader reports whether the block is filtered for x86. Any filter but
// that, and LZMA2 last, is an error.
func parseBlockHeader(header []byte) (x86 bool, err error) {
	r := bytes.NewReader(header)
	flags, err := r.ReadByte()
	if err != nil {
		return false, errNotXZ
	}
	for _, sized := range []byte{0x40, 0x80} { // packed and unpacked size: not needed
		if flags&sized != 0 {
			if _, err := binary.ReadUvarint(r); err != nil {
				return false, errNotXZ
			}
		}
	}
	for last := int(flags & 3); last >= 0; last-- {
		filter, err := binary.ReadUvarint(r)
		if err != nil {
			return false, errNotXZ
		}
		properties, err := binary.ReadUvarint(r)
		if err != nil || properties > uint64(r.Len()) {
			return false, errNotXZ
		}
		_, _ = r.Seek(int64(properties), io.SeekCurrent) // within the header
		switch {
		case filter == filterX86 && properties == 0 && last > 0:
			x86 = true
		case filter == filterLZMA2 && last == 0:
		default:
			return false, errNotXZ
		}
	}
	return x86, nil
}

// undoX86 turns the absolute targets of CALL and JMP back into relative ones, in
// place: the decoding half of the x86 BCJ filter. recent remembers, by a bit
// each, which of the last three bytes looked like such an instruction: what looks
// like one inside another's operand was left alone by the encoder.
func undoX86(code []byte) {
	// By recent: whether such an operand was converted, and which of its bytes
	// decides.
	allowed := [8]bool{true, true, true, false, true}
	decider := [8]int{0, 1, 2, 2, 3, 3, 3, 3}
	sign := func(b byte) bool { return b == 0x00 || b == 0xff }

	last, recent := -1, uint32(0)
	for i := 0; i+5 <= len(code); i++ {
		if code[i]&0xfe != 0xe8 {
			continue
		}
		distance := i - last
		last = i
		if distance > 3 {
			recent = 0
		} else if recent = recent << (distance - 1) & 7; recent != 0 {
			if !allowed[recent] || sign(code[i+4-decider[recent]]) {
				recent = recent<<1 | 1
				continue
			}
		}
		if !sign(code[i+4]) {
			recent = recent<<1 | 1
			continue
		}
		operand := code[i+1 : i+5]
		target := binary.LittleEndian.Uint32(operand)
		binary.LittleEndian.PutUint32(operand, relative(target, uint32(i+5), decider[recent]*8, recent != 0, sign))
		i += 4
	}
}

// relative is the operand that reaches target from the instruction's end. Where
// another instruction overlaps, the encoder may have gone through several rounds.
func relative(target, end uint32, shift int, overlaps bool, sign func(byte) bool) uint32 {
	operand := target - end
	for overlaps && sign(byte(operand>>(24-shift))) {
		operand = (operand ^ (1<<(32-shift) - 1)) - end
	}
	operand &= 0x01ffffff
	return operand | -(operand & 0x01000000) // the sign, from bit 24
}
