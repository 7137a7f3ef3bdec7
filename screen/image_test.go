package screen

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

const (
	sixels3x2 = "\x1bPq\"1;1;30;40#1!30~\x1b\\" // 30x40 pixels: 3 columns, 2 rows
	inline3x2 = "\x1b]1337;File=inline=1;width=3;height=2;preserveAspectRatio=0:" + tinyGIF + "\a"
	kitty3x2  = "\x1b_Ga=T,i=7,f=24,s=30,v=40,q=2;AAAA\x1b\\"
)

// places writes down where images are.
func (s *Screen) places() string {
	var places []string
	for _, im := range s.buf.images.shown {
		places = append(places, fmt.Sprintf("%d,%d %dx%d", im.x, im.y, im.cols, im.rows))
	}
	return strings.Join(places, "; ")
}

func TestAnImageCoversCellsAndMovesTheCursorAsItsProtocolSays(t *testing.T) {
	for _, tt := range []struct {
		name, output, places string
		x, y                 int
	}{
		{"sixels", "ab" + sixels3x2, "2,0 3x2", 2, 1},
		{"sixels, cursor to the right", "\x1b[?8452hab" + sixels3x2, "2,0 3x2", 5, 1},
		{"sixels, display mode", "\x1b[?80hab" + sixels3x2, "0,0 3x2", 2, 0},
		{"sixels at the bottom scroll", "\x1b[5H" + sixels3x2, "0,3 3x2", 0, 4},
		{"sixels at the bottom margin scroll", "\x1b[2;4r\x1b[4H" + sixels3x2, "0,2 3x2", 0, 3},
		{"sixels are cut at the edge", "\x1b[19G" + sixels3x2, "18,0 2x2", 18, 1},
		{"sixels higher than the screen", "x\x1bPq\"1;1;10;400~\x1b\\", "", 1, 4},
		{"sixels of no size", "x\x1bPq\x1b\\", "", 1, 0},
		{"iTerm2", "ab" + inline3x2, "2,0 3x2", 5, 1},
		{"iTerm2, a file", "ab" + strings.Replace(inline3x2, "inline=1", "inline=0", 1), "", 2, 0},
		{"iTerm2, by the width", "\x1b]1337;File=inline=1;width=45px:" + tinyGIF + "\a", "0,0 5x3", 5, 2},
		{"iTerm2, by part of the screen", "\x1b]1337;File=inline=1;width=20%:" + tinyGIF + "\a", "", 4, 1},
		{"iTerm2, not moving", strings.Replace(inline3x2, "inline", "doNotMoveCursor=1;inline", 1), "0,0 3x2", 0, 0},
		{"iTerm2, no image", "\x1b]1337;File=inline=1:AAAA\a", "", 0, 0},
		{"kitty", "ab" + kitty3x2, "2,0 3x2", 5, 1},
		{"kitty, twice", kitty3x2 + "\x1b[H" + strings.Repeat("\x1b_Ga=p,i=7\x1b\\\x1b[H", 2), "0,0 3x2", 0, 0},
		{"kitty, to the edge", "\x1b[18G" + kitty3x2, "17,0 3x2", 0, 2},
		{"kitty, not moving", strings.Replace(kitty3x2, "a=T", "a=T,C=1", 1), "0,0 3x2", 0, 0},
		{"kitty, by columns", strings.Replace(kitty3x2, "a=T", "a=T,c=6", 1), "0,0 6x4", 6, 3},
		{"kitty, by rows", strings.Replace(kitty3x2, "a=T", "a=T,r=1", 1), "0,0 2x1", 2, 0},
		{"kitty, a part", strings.Replace(kitty3x2, "a=T", "a=T,x=5,w=10,X=5", 1), "0,0 2x2", 2, 1},
		{"kitty, in pieces", "\x1b_Ga=t,i=1,f=24,s=30,v=40,m=1;AA\x1b\\text\x1b_Gm=1;AA\x1b\\\x1b_Gm=0;BB\x1b\\\x1b_Ga=p,i=1\x1b\\", "4,0 3x2", 7, 1},
		{"kitty, PNG", "\x1b_Ga=T,f=100;iVBORw0KGgoAAAANSUhEUgAAABQAAAAeCAAAAAA=\x1b\\", "0,0 2x2", 2, 1},
		{"kitty, nothing to place", "\x1b_Ga=p,i=1\x1b\\", "", 0, 0},
		{"kitty, for placeholders", "\x1b_Ga=T,U=1,i=1,f=24,s=30,v=40;AAAA\x1b\\", "", 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := measured(20, 5)
			s.write(t, tt.output)
			if got := s.places(); got != tt.places {
				t.Errorf("images at %q, not %q", got, tt.places)
			}
			if s.x != tt.x || s.y != tt.y {
				t.Errorf("cursor at %d,%d, not %d,%d", s.x, s.y, tt.x, tt.y)
			}
			if err := restores(s); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAnImageOfUnknownExtentLeavesNothingBehind(t *testing.T) {
	for _, output := range []string{sixels3x2, "\x1b]1337;File=inline=1:" + tinyGIF + "\a", "\x1b_Ga=T,f=24,s=30,v=40;AAAA\x1b\\"} {
		s := written(t, 20, 5, "ab"+output)
		if s.places() != "" || s.x != 2 || s.y != 0 {
			t.Errorf("%q is at %q, the cursor at %d,%d", output, s.places(), s.x, s.y)
		}
	}
	s := written(t, 20, 5, inline3x2+"\x1b_Ga=T,c=2,r=1,f=24,s=30,v=40;AAAA\x1b\\")
	if want := "0,0 3x2; 3,1 2x1"; s.places() != want {
		t.Errorf("images of known cells are at %q, not %q", s.places(), want)
	}
}

func TestAnImageGoesAsItsProtocolSays(t *testing.T) {
	all := sixels3x2 + "\x1b[1;5H" + inline3x2 + "\x1b[1;9H" + kitty3x2
	const sixels, inline, kitty = "0,0 3x2", "4,0 3x2", "8,0 3x2"
	for _, tt := range []struct {
		name, output string
		left         []string
	}{
		{"nothing", "", []string{sixels, inline, kitty}},
		{"text over sixels", "\x1b[2;3Hx", []string{inline, kitty}},
		{"text over that of iTerm2", "\x1b[1;5Hx", []string{sixels, kitty}},
		{"text over that of kitty", "\x1b[1;9Hx", []string{sixels, inline, kitty}},
		{"text beside them", "\x1b[3Hxxxxxxxxxxxx", []string{sixels, inline, kitty}},
		{"erased line", "\x1b[1H\x1b[2K", []string{kitty}},
		{"erased screen", "\x1b[2J", nil},
		{"erased to the end", "\x1b[2;6H\x1b[J", []string{sixels, kitty}},
		{"inserted characters", "\x1b[1;4H\x1b[@", []string{sixels, kitty}},
		{"rectangle", "\x1b[1;1;1;5$z", []string{kitty}},
		{"scrolled down", "\x1b[T", []string{"0,1 3x2", "4,1 3x2", "8,1 3x2"}},
		{"scrolled up", "\x1b[S", nil},
		{"a line inserted above and below", "\x1b[1H\x1b[L\x1b[4H\x1b[L", []string{"0,1 3x2", "4,1 3x2", "8,1 3x2"}},
		{"a line inserted within", "\x1b[2H\x1b[L", nil},
		{"pushed down from the screen", "\x1b[1H\x1b[4L", nil},
		{"a region that cuts through them", "\x1b[2;5r\x1b[5H\n", nil},
		{"reset", "\x1bc", nil},
		{"the alternate screen", "\x1b[?1049h", nil},
		{"the alternate screen and back", "\x1b[?1049h" + sixels3x2 + "\x1b[?1049l", []string{sixels, inline, kitty}},
		{"all deleted", "\x1b_Ga=d\x1b\\", []string{sixels, inline}},
		{"deleted by number", "\x1b_Ga=d,d=i,i=7\x1b\\", []string{sixels, inline}},
		{"deleted by another number", "\x1b_Ga=d,d=i,i=8\x1b\\", []string{sixels, inline, kitty}},
		{"deleted by place", "\x1b_Ga=d,d=p,x=11,y=2\x1b\\", []string{sixels, inline}},
		{"deleted by column", "\x1b_Ga=d,d=x,x=12\x1b\\", []string{sixels, inline, kitty}},
		{"sent anew", "\x1b_Ga=t,i=7,f=24,s=1,v=1;AAAA\x1b\\", []string{sixels, inline}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := measured(20, 5)
			s.write(t, all)
			from := s.Clone(true)
			s.write(t, tt.output)
			if got, want := s.places(), strings.Join(tt.left, "; "); got != want {
				t.Errorf("left are %q, not %q", got, want)
			}
			if err := restores(s); err != nil {
				t.Error(err)
			}
			if err := leads(from, s); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWhatWasStoredIsPlacedUntilItIsFreed(t *testing.T) {
	const place = "\x1b_Ga=p,i=7\x1b\\"
	for output, want := range map[string]string{
		"": "0,0 3x2", "\x1b_Ga=d,d=i,i=7\x1b\\": "0,0 3x2", "\x1b_Ga=d,d=I,i=7\x1b\\": "", "\x1b[2J": "0,0 3x2", "\x1b[?1049h": "",
		"\x1b_Ga=d,d=R,x=5,y=9\x1b\\": "", "\x1b_Ga=p,i=7\x1b\\\x1b_Ga=d,d=A\x1b\\": "",
	} {
		s := measured(20, 5)
		s.write(t, strings.Replace(kitty3x2, "a=T", "a=t", 1)+output+"\x1b[H"+place)
		if got := s.places(); got != want {
			t.Errorf("after %q the image is at %q, not %q", output, got, want)
		}
	}
}

func TestWhatCannotBeSentAgainIsNeverKept(t *testing.T) {
	for _, keys := range []string{"t=f", "t=t", "t=s", "I=5", "a=q", "a=f"} {
		s := measured(20, 5)
		s.write(t, "\x1b_Ga=T,c=3,r=2,i=1,"+keys+";L2V0Yy9wYXNzd2Q=\x1b\\\x1b_Ga=p,i=1\x1b\\")
		if s.places() != "" || bytes.Contains(s.Snapshot(SnapshotOptions{}), []byte("\x1b_G")) {
			t.Errorf("%s: an image is at %q", keys, s.places())
		}
	}
}

func TestASnapshotMayLeaveImagesOut(t *testing.T) {
	s := measured(20, 5)
	s.write(t, "text"+sixels3x2+"\x1b[1;9H"+inline3x2+kitty3x2+"\x1b_Ga=t,i=1,m=1;AAAA\x1b\\")
	for _, introducer := range []string{"\x1bP", "\x1b]1337", "\x1b_G"} {
		if !bytes.Contains(s.Snapshot(SnapshotOptions{}), []byte(introducer)) {
			t.Errorf("there is no %q in the snapshot", introducer)
		}
		if bytes.Contains(s.Snapshot(SnapshotOptions{WithoutImages: true}), []byte(introducer)) {
			t.Errorf("there is %q in the snapshot without images", introducer)
		}
	}
	if strings.ContainsAny(s.ANSI(), "\x1b") {
		t.Errorf("there is more than text in %q", s.ANSI())
	}
}

func TestATerminalWithoutImagesShowsTheRestOfASnapshot(t *testing.T) {
	hold(t, everything, func(cols, rows int, output []string) error {
		s := run(cols, rows, output)
		got := New(cols, rows, s.opts) // with cells of unknown size
		_, _ = got.Write(s.Snapshot(SnapshotOptions{}))
		if g, w := got.Cursor(), s.Cursor(); g != w {
			return fmt.Errorf("cursor %v, not %v", g, w)
		}
		return looksLike(got, s)
	})
}

func TestADifferenceSendsAnImageOnce(t *testing.T) {
	s := measured(20, 5)
	s.write(t, "\x1b[2;5H"+sixels3x2+"\x1b[2;9H"+kitty3x2)
	from := s.Clone(false)
	s.write(t, "\x1b[2;1Htext\x1b[2;12Hmore\x1b[5Hlast")
	mid := s.Clone(false)
	s.write(t, "\x1b[2;1H\x1b[4X\x1b[2;12H\x1b[4X")
	for _, d := range [][]byte{Diff(from, mid, 0), Diff(mid, s, 0)} {
		if bytes.Contains(d, []byte("\x1bP")) || bytes.Contains(d, []byte("\x1b_G")) {
			t.Errorf("images have not changed, and the difference is %q", d)
		}
	}
}

func TestASizeDecidesWhichImagesStay(t *testing.T) {
	s := measured(20, 5)
	s.write(t, "\x1b[2H"+sixels3x2+"\x1b[2;9H"+inline3x2)
	s.Resize(20, 8)
	s.SetPixels(200, 160)
	if want := "0,1 3x2; 8,1 3x2"; s.places() != want {
		t.Errorf("on a higher screen they are at %q, not %q", s.places(), want)
	}
	s.SetPixels(300, 240) // the cells have grown
	if want := "8,1 3x2"; s.places() != want {
		t.Errorf("with larger cells they are at %q, not %q", s.places(), want)
	}
	s.Resize(30, 8)
	if s.places() != "" {
		t.Errorf("on a wider screen they are at %q", s.places())
	}
}

func TestImagesBeyondTheBoundsAreDropped(t *testing.T) {
	big := func(n int) string { return "\x1b[H\x1bPq\"1;1;30;40" + strings.Repeat("?", n) + "\x1b\\" }
	s := measured(20, 5)
	s.write(t, big(maxImage))
	if s.places() != "" {
		t.Error("an image of more than 2 MiB is kept")
	}
	s.write(t, big(maxImage-300))
	s.write(t, "\x1b[?1049h"+big(maxImage-300))
	s.write(t, "\x1b[4H"+sixels3x2)
	if s.places() != "0,0 3x2; 0,3 3x2" {
		t.Errorf("on the alternate screen they are at %q", s.places())
	}
	s.write(t, big(maxImage/2))
	if want := "0,3 3x2; 0,0 3x2"; s.places() != want {
		t.Errorf("one that takes the place of another is at %q, not %q", s.places(), want)
	}
	s.write(t, "\x1b[1;9H"+strings.TrimPrefix(big(maxImage-300), "\x1b[H"))
	if want := "0,3 3x2; 0,0 3x2"; s.places() != want {
		t.Errorf("beyond 4 MiB they are at %q, not %q", s.places(), want)
	}
}

func TestSixelsAreMeasured(t *testing.T) {
	for data, want := range map[string][2]int{
		"": {0, 0}, "~": {1, 6}, "@": {1, 1}, "A@": {2, 2}, "?": {0, 0}, "??@": {3, 1}, "!5@": {5, 1}, "!5?@$!9@": {9, 1}, "#1;2;0;0;0#1@-@": {1, 7},
		"\"1;1;30;40": {30, 40}, "\"1;1;30;40#1!31~": {31, 40}, "\"1;1": {0, 0}, "!": {0, 0}, "!99999999999~": {1 << 20, 6}, "-----@": {1, 31}, "\"1;1;3;4~": {3, 6},
	} {
		if w, h := measureSixels([]byte(data)); w != want[0] || h != want[1] {
			t.Errorf("%q is %dx%d, not %v", data, w, h, want)
		}
	}
}
