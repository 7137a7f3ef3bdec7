package screen_test

import (
	"fmt"

	"github.com/snugvm/snug/screen"
)

// A program draws, asks, and tells its terminal things; all of it arrives as bytes.
func Example() {
	s := screen.New(20, 3, screen.Options{})
	_, _ = s.Write([]byte("\x1b]2;a title\a\x1b[1mbold\x1b[0m 世界\r\n\x1b[6n"))

	fmt.Printf("%q\n", s.Text())
	fmt.Printf("cursor %d,%d\n", s.Cursor().Col, s.Cursor().Row)
	fmt.Printf("for the program: %q\n", s.TakeReplies())
	for _, e := range s.TakeEvents() {
		fmt.Printf("told: %v %q\n", e.Kind == screen.TitleChanged, e.Text)
	}
	// Output:
	// "bold 世界\n\n\n"
	// cursor 0,1
	// for the program: "\x1b[2;1R"
	// told: true "a title"
}

// A viewer joins late, then misses something.
func ExampleDiff() {
	s := screen.New(20, 3, screen.Options{})
	_, _ = s.Write([]byte("building\r\n10 %"))

	viewer := screen.New(20, 3, screen.Options{})
	_, _ = viewer.Write(s.Snapshot(screen.SnapshotOptions{}))
	seen := s.Clone(false)

	_, _ = s.Write([]byte("\r50 %\r90 %"))
	missed := screen.Diff(seen, s, -1)
	fmt.Printf("%q\n", missed)

	_, _ = viewer.Write(missed)
	fmt.Print(viewer.Text())
	// Output:
	// "\r90 %"
	// building
	// 90 %
}

// Output may be dropped at a boundary only: else the rest of a sequence would be shown as text.
func ExampleBoundary() {
	var b screen.Boundary
	chunk := []byte("text\x1b[1")
	n := b.Scan(chunk)
	fmt.Printf("%q %q %v\n", chunk[:n], chunk[n:], b.Ground())
	// Output:
	// "text" "\x1b[1" false
}
