package picture

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snugvm/snug/screen"
)

var keep = flag.String("keep", "", "a folder in which the pictures are left, to be looked at")

// sample shows what a terminal has to draw well.
const sample = "\x1b[1mbold\x1b[0m \x1b[3mitalic\x1b[0m \x1b[1;3mboth\x1b[0m \x1b[2mfaint\x1b[0m \x1b[7minverse\x1b[0m \x1b[9mstruck\x1b[0m \x1b[53mover\x1b[0m \x1b[8mhidden\x1b[0m\r\n" +
	"\x1b[4mone\x1b[0m \x1b[4:2mtwo\x1b[0m \x1b[4:3;58:2::255:80:80mcurly\x1b[0m \x1b[4:4mdotted\x1b[0m \x1b[4:5mdashed\x1b[0m \x1b]8;;https://example.org/?a=1&b\x1b\\link\x1b]8;;\x1b\\ <&>\r\n" +
	"\x1b[31mred \x1b[32mgreen \x1b[33myellow \x1b[34mblue \x1b[35mmagenta \x1b[36mcyan \x1b[91mbright\x1b[0m \x1b[44;97m on blue \x1b[0m\r\n" +
	"┌──┬──┐ ╔══╦══╗ ┏━━┳━━┓ ╭──╮ ╒═╤═╕ ╓─╥─╖ ╱╲╳ ┄┅┈┉╌╍\r\n" +
	"│  │  │ ║  ║  ║ ┃  ┃  ┃ │  │ │ │ │ ║ ║ ║ ╲╱  ┆┇┊┋╎╏\r\n" +
	"├──┼──┤ ╠══╬══╣ ┣━━╋━━┫ ╰──╯ ╞═╪═╡ ╟─╫─╢ ┝┿┥┠╂┨┢╈┪\r\n" +
	"└──┴──┘ ╚══╩══╝ ┗━━┻━━┛      ╘═╧═╛ ╙─╨─╜ ╴╵╶╷╸╹╺╻╼╽╾╿\r\n" +
	"▁▂▃▄▅▆▇█ █▉▊▋▌▍▎▏ ▐ ▀ ░░▒▒▓▓ ▖▗▘▙▚▛▜▝▞▟ ▔▕ ⠋⠙⠹⠸⢿⣿ ⎺⎻⎼⎽ \ue0b0\ue0b1\ue0b2\ue0b3\r\n" +
	"世界 你好 日本語 ひらがな カタカナ 한국어 ÄÖÜ éñç e\u0301 Ελληνικά Русский\r\n" +
	"→ ← ↑ ↓ • … ✓ ✔ ✗ ● ○ ◆ ★ ♥ ≤ ≥ ∞ € £ 👩\u200d🚀🙂🇩🇪⚠\ufe0f🤖🧠🐛✅"

func sampleScreen() *screen.Screen {
	s := screen.New(76, 12, screen.Options{})
	_, _ = s.Write([]byte(sample + "\x1b[11;1H"))
	for x := range 76 {
		_, _ = s.Write([]byte(gradient(x)))
	}
	_, _ = s.Write([]byte("\x1b[0m\x1b[12;1H$ cursor "))
	return s
}

func gradient(x int) string {
	return "\x1b[48;2;" + strings.Join([]string{itoa(x * 3), itoa(255 - x*3), itoa(128)}, ";") + "m "
}

func itoa(n int) string {
	return string([]byte{'0' + byte(n/100), '0' + byte(n/10%10), '0' + byte(n%10)})
}

func save(t *testing.T, name string, content []byte) {
	t.Helper()
	if *keep == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(*keep, name), content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestAPNGShowsTheScreen(t *testing.T) {
	var b bytes.Buffer
	if err := PNG(&b, sampleScreen(), Options{Cursor: true, Padding: 10}); err != nil {
		t.Fatal(err)
	}
	save(t, "sample.png", b.Bytes())
	img, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	if want := image.Rect(0, 0, 76*cellWidth+20, 12*cellHeight+20); img.Bounds() != want {
		t.Errorf("size %v, want %v", img.Bounds(), want)
	}
}

func TestAnSVGIsWellFormedAndHoldsTheText(t *testing.T) {
	var b bytes.Buffer
	if err := SVG(&b, sampleScreen(), Options{Cursor: true, Padding: 10}); err != nil {
		t.Fatal(err)
	}
	save(t, "sample.svg", b.Bytes())
	var text strings.Builder
	for d := xml.NewDecoder(bytes.NewReader(b.Bytes())); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if chars, ok := token.(xml.CharData); ok {
			text.Write(chars)
		}
	}
	for _, want := range []string{"bold", "<&>", "世", "👩\u200d🚀", "on blue"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in the text", want)
		}
	}
	if !strings.Contains(b.String(), `href="https://example.org/?a=1&amp;b"`) {
		t.Error("the link is lost")
	}
}

// pixel is the colour in the middle of a cell.
func pixel(t *testing.T, s *screen.Screen, opts Options, col, row int) color.RGBA {
	t.Helper()
	img, err := Image(s, opts)
	if err != nil {
		t.Fatal(err)
	}
	return img.RGBAAt(opts.Padding+col*cellWidth+cellWidth/2, opts.Padding+row*cellHeight+cellHeight/2)
}

func TestColoursAreThoseOfTheScreen(t *testing.T) {
	tests := map[string]struct {
		output string
		want   color.RGBA
	}{
		"truecolor background": {"\x1b[48;2;1;2;3m ", color.RGBA{1, 2, 3, 255}},
		"palette":              {"\x1b[41m ", color.RGBA{205, 0, 0, 255}},
		"redefined palette":    {"\x1b]4;1;#010203\a\x1b[41m ", color.RGBA{1, 2, 3, 255}},
		"default background":   {"\x1b]11;#040506\a ", color.RGBA{4, 5, 6, 255}},
		"full block":           {"\x1b[38;2;9;8;7m█", color.RGBA{9, 8, 7, 255}},
		"inverse":              {"\x1b[7;38;2;9;8;7m ", color.RGBA{9, 8, 7, 255}},
		"reverse screen":       {"\x1b[?5h\x1b]10;#070809\a ", color.RGBA{7, 8, 9, 255}},
		"erased":               {"\x1b[48;2;1;2;3m\x1b[K", color.RGBA{1, 2, 3, 255}},
		"half shade":           {"\x1b[38;2;200;100;0m▒", color.RGBA{100, 50, 0, 255}},
		"hidden":               {"\x1b[8;38;2;9;8;7m█", color.RGBA{0, 0, 0, 255}},
		"faint":                {"\x1b[2;38;2;200;100;0m█", color.RGBA{100, 50, 0, 255}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := screen.New(4, 1, screen.Options{})
			_, _ = s.Write([]byte(tt.output))
			got := pixel(t, s, Options{}, 0, 0)
			for _, d := range []int{int(got.R) - int(tt.want.R), int(got.G) - int(tt.want.G), int(got.B) - int(tt.want.B)} {
				if d < -1 || d > 1 {
					t.Fatalf("colour %v, want %v", got, tt.want)
				}
			}
		})
	}
}

func TestTheCursorIsShownOnlyIfAskedForAndVisible(t *testing.T) {
	s := screen.New(4, 1, screen.Options{Cursor: screen.RGB(255, 0, 0)})
	red := color.RGBA{255, 0, 0, 255}
	if got := pixel(t, s, Options{Cursor: true}, 0, 0); got != red {
		t.Errorf("a visible cursor is %v", got)
	}
	if got := pixel(t, s, Options{}, 0, 0); got == red {
		t.Error("a cursor that was not asked for is shown")
	}
	_, _ = s.Write([]byte("\x1b[?25l"))
	if got := pixel(t, s, Options{Cursor: true}, 0, 0); got == red {
		t.Error("a hidden cursor is shown")
	}
}

// Lines must leave no gap where cells meet.
func TestLinesMeetFromCellToCell(t *testing.T) {
	for _, char := range []string{"─", "━", "═", "┼", "╬", "╋", "┿", "╪"} {
		s := screen.New(3, 3, screen.Options{Foreground: screen.RGB(255, 255, 255)})
		_, _ = s.Write([]byte(strings.Repeat(char, 9)))
		img, err := Image(s, Options{})
		if err != nil {
			t.Fatal(err)
		}
		y := cellHeight + cellHeight/2
		if char == "═" || char == "╬" || char == "╪" {
			y = cellHeight + cellHeight/2 - gap
		}
		for _, x := range []int{cellWidth - 1, cellWidth, 2*cellWidth - 1, 2 * cellWidth} {
			if img.RGBAAt(x, y).R == 0 {
				t.Errorf("%s has a gap at %d,%d", char, x, y)
				break
			}
		}
	}
}
