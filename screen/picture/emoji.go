package picture

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/binary"
	"image"
	"io"
	"sync"
	"unicode/utf8"
)

// Emoji are kept as they are drawn, in two cells, in 16 shades: that takes a tenth of the font that they are made from.
// A record is the character, in four bytes, and two pixels a byte, line by line.
const (
	emojiSize   = 2 * cellWidth
	emojiShades = 16
	emojiRecord = 4 + emojiSize*emojiSize/2
)

// emojiData is Noto Emoji: see emoji/README.md.
//
//go:embed emoji/noto-emoji.gz
var emojiData []byte

// emoji are the pictures by their characters. Damaged data would be found by the tests.
var emoji = sync.OnceValue(func() map[rune][]byte {
	pictures := make(map[rune][]byte)
	z, err := gzip.NewReader(bytes.NewReader(emojiData))
	if err != nil {
		return nil
	}
	all, _ := io.ReadAll(z)
	for ; len(all) >= emojiRecord; all = all[emojiRecord:] {
		pictures[rune(binary.BigEndian.Uint32(all))] = all[4:emojiRecord]
	}
	return pictures
})

// emojiMask returns the picture of an emoji.
func emojiMask(char rune) (*image.Alpha, bool) {
	packed, ok := emoji()[char]
	if !ok {
		return nil, false
	}
	mask := image.NewAlpha(image.Rect(0, 0, emojiSize, emojiSize))
	for i, pair := range packed {
		mask.Pix[2*i], mask.Pix[2*i+1] = pair>>4*(0xff/(emojiShades-1)), pair&0xf*(0xff/(emojiShades-1))
	}
	return mask, true
}

const firstIndicator, lastIndicator = '🇦', '🇿'

// country returns the letters of a flag.
func country(cluster string) (letters [2]rune, ok bool) {
	first, n := utf8.DecodeRuneInString(cluster)
	second, _ := utf8.DecodeRuneInString(cluster[n:])
	letters = [2]rune{first - firstIndicator + 'A', second - firstIndicator + 'A'}
	return letters, isIndicator(first) && isIndicator(second)
}

func isIndicator(char rune) bool { return char >= firstIndicator && char <= lastIndicator }
