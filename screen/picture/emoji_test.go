package picture

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"flag"
	"image"
	"image/draw"
	"io"
	"os"
	"testing"

	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

var emojiFont = flag.String("emoji", "", "a WOFF file of Noto Emoji, to make emoji/noto-emoji.gz of: see emoji/README.md")

func TestEmojiHavePictures(t *testing.T) {
	if *emojiFont != "" {
		if err := os.WriteFile("emoji/noto-emoji.gz", packEmoji(t, *emojiFont), 0o644); err != nil {
			t.Fatal(err)
		}
		return // the next run has it built in
	}
	if n := len(emoji()); n < 1300 {
		t.Errorf("there are %d", n)
	}
	for _, char := range "🙂👩🚀⚠✅🎉🐛🔥📦✨🤖🧠🫠" {
		mask, ok := emojiMask(char)
		if !ok {
			t.Errorf("%c has none", char)
			continue
		}
		ink := 0
		for _, alpha := range mask.Pix {
			ink += int(alpha)
		}
		if share := float64(ink) / float64(255*len(mask.Pix)); share < 0.05 || share > 0.95 {
			t.Errorf("%c covers %.2f of its cells", char, share)
		}
	}
	for _, char := range "a1#世" {
		if _, ok := emojiMask(char); ok {
			t.Errorf("%c is an emoji", char)
		}
	}
}

// packEmoji draws each character of a font beyond Latin-1 that is no part of a sequence only.
func packEmoji(t *testing.T, file string) []byte {
	t.Helper()
	woff, err := os.ReadFile(file)
	must(t, err)
	font, err := sfnt.Parse(unpackWOFF(t, woff))
	must(t, err)
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	must(t, err)
	z.Comment = "Noto Emoji, Copyright 2013 Google LLC, SIL Open Font License 1.1"
	for char := rune(0xa0); char < 0x20000; char++ {
		var b sfnt.Buffer
		glyph, err := font.GlyphIndex(&b, char)
		must(t, err)
		if glyph == 0 || isIndicator(char) || char == '\u200d' || char == '\u20e3' || char == '\ufe0f' {
			continue
		}
		record := binary.BigEndian.AppendUint32(nil, uint32(char))
		pix := drawEmoji(t, font, glyph).Pix
		for i := 0; i < len(pix); i += 2 {
			record = append(record, shade(pix[i])<<4|shade(pix[i+1]))
		}
		_, err = z.Write(record)
		must(t, err)
	}
	must(t, z.Close())
	return out.Bytes()
}

func shade(alpha uint8) byte {
	return byte((int(alpha)*(emojiShades-1) + 127) / 255)
}

// drawEmoji draws a glyph as wide as two cells, its middle in their middle.
func drawEmoji(t *testing.T, font *sfnt.Font, glyph sfnt.GlyphIndex) *image.Alpha {
	t.Helper()
	var b sfnt.Buffer
	units := fixed.I(int(font.UnitsPerEm()))
	advance, err := font.GlyphAdvance(&b, glyph, units, 0)
	must(t, err)
	size := fixed.Int26_6(int(units) * emojiSize * 64 / max(int(advance), 1))
	bounds, _, err := font.GlyphBounds(&b, glyph, size, 0)
	must(t, err)
	at := func(p fixed.Point26_6) (x, y float32) {
		middle := (bounds.Min.Y + bounds.Max.Y) / 2
		return float32(p.X) / 64, float32(p.Y-middle)/64 + emojiSize/2
	}
	segments, err := font.LoadGlyph(&b, glyph, size, nil)
	must(t, err)
	r := vector.NewRasterizer(emojiSize, emojiSize)
	for _, s := range segments {
		x0, y0 := at(s.Args[0])
		x1, y1 := at(s.Args[1])
		x2, y2 := at(s.Args[2])
		switch s.Op {
		case sfnt.SegmentOpMoveTo:
			r.MoveTo(x0, y0)
		case sfnt.SegmentOpLineTo:
			r.LineTo(x0, y0)
		case sfnt.SegmentOpQuadTo:
			r.QuadTo(x0, y0, x1, y1)
		case sfnt.SegmentOpCubeTo:
			r.CubeTo(x0, y0, x1, y1, x2, y2)
		}
	}
	mask := image.NewAlpha(image.Rect(0, 0, emojiSize, emojiSize))
	r.DrawOp = draw.Src
	r.Draw(mask, mask.Bounds(), image.Opaque, image.Point{})
	return mask
}

// unpackWOFF returns the font in a WOFF 1.0 file (W3C): its tables, compressed by zlib.
func unpackWOFF(t *testing.T, woff []byte) []byte {
	t.Helper()
	const header, entry = 44, 20
	n := int(binary.BigEndian.Uint16(woff[12:]))
	out := append([]byte(nil), woff[4:8]...)
	out = binary.BigEndian.AppendUint16(out, uint16(n))
	out = append(out, make([]byte, 6)...) // for a binary search that nobody makes
	var tables []byte
	for i := range n {
		e := woff[header+i*entry:]
		offset, packed, size := binary.BigEndian.Uint32(e[4:]), binary.BigEndian.Uint32(e[8:]), binary.BigEndian.Uint32(e[12:])
		table := woff[offset : offset+packed]
		if packed < size {
			z, err := zlib.NewReader(bytes.NewReader(table))
			must(t, err)
			table, err = io.ReadAll(z)
			must(t, err)
		}
		out = append(append(out, e[:4]...), e[16:20]...)
		out = binary.BigEndian.AppendUint32(out, uint32(12+16*n+len(tables)))
		out = binary.BigEndian.AppendUint32(out, size)
		tables = append(tables, table...)
		tables = append(tables, make([]byte, -len(table)&3)...)
	}
	return append(out, tables...)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
