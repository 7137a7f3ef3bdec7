package picture

import (
	"fmt"
	"sync"

	"github.com/hajimehoshi/bitmapfont/v3"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/gomonobold"
	"golang.org/x/image/font/gofont/gomonobolditalic"
	"golang.org/x/image/font/gofont/gomonoitalic"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"

	"github.com/snugvm/snug/screen"
)

// faces are the fonts of one picture. A face is not safe for concurrent use, the fonts that they are made of are.
type faces struct {
	outlines [4]font.Face // bit 0 is bold, bit 1 italic
	regular  *sfnt.Font
	buffer   sfnt.Buffer
	bitmap   font.Face
}

var parseFonts = sync.OnceValues(func() (parsed [4]*sfnt.Font, err error) {
	for i, ttf := range [...][]byte{gomono.TTF, gomonobold.TTF, gomonoitalic.TTF, gomonobolditalic.TTF} {
		if parsed[i], err = opentype.Parse(ttf); err != nil {
			return parsed, fmt.Errorf("font %d of the pictures: %w", i, err)
		}
	}
	return parsed, nil
})

func loadFaces() (*faces, error) {
	parsed, err := parseFonts()
	if err != nil {
		return nil, err
	}
	f := &faces{regular: parsed[0], bitmap: bitmapfont.Face}
	for i, p := range parsed {
		f.outlines[i], err = opentype.NewFace(p, &opentype.FaceOptions{Size: fontSize, DPI: 72, Hinting: font.HintingFull})
		if err != nil {
			return nil, fmt.Errorf("font %d of the pictures: %w", i, err)
		}
	}
	return f, nil
}

func (f *faces) styled(attrs screen.Attr) font.Face {
	i := 0
	if attrs&screen.Bold != 0 {
		i |= 1
	}
	if attrs&screen.Italic != 0 {
		i |= 2
	}
	return f.outlines[i]
}

// has reports whether the outlines have a character; all of them have the same.
func (f *faces) has(char rune) bool {
	n, err := f.regular.GlyphIndex(&f.buffer, char)
	return err == nil && n != 0
}
