// Package screen is a terminal without a window: it takes the bytes that programs write to a terminal, and knows at any
// time what that terminal shows.
//
//	s := screen.New(80, 24, screen.Options{Scrollback: 10000})
//	s.Write(output)                 // any bytes, cut anywhere
//	toProgram(s.TakeReplies())      // what a terminal answers: cursor reports, attributes, colours, modes
//	for _, e := range s.TakeEvents() { ... } // titles, bells, notifications, requests for the clipboard
//	fmt.Println(s.Text())
//
// It understands ECMA-48 and the sequences of DEC's VT420 and of xterm that programs use (xterm's ctlseqs is the
// reference for names), and beside them hyperlinks (OSC 8), styles and colours of underlines, the keyboard protocol of
// kitty, synchronized output, and what shells and editors tell their terminals by OSC 7, 9, 99, 133 and 777. Text is
// UTF-8; a cell holds one grapheme cluster of UAX #29, however it was cut into writes.
//
// # Back to bytes
//
// [Screen.Snapshot] returns bytes that bring a terminal that was just switched on to the same screen: text, attributes,
// cursor, margins, tab stops, modes, titles and, if asked, the scrollback. [Diff] returns those that bring a terminal from
// an earlier screen to a later one, for a viewer that missed what lies between; its earlier screen is kept with
// [Screen.Clone]. Both hold for every state that output can reach, and if a sequence was written in part, they end with
// that part: so a snapshot is a checkpoint, after which a log of further output goes on.
//
// Output that is not to be cut within a sequence, or dropped, may be between what [Boundary.Scan] finds, which costs much
// less than a screen.
//
// # What differs from xterm
//
//   - C1 controls are recognised as ESC and a letter, not as U+0080 to U+009F: in UTF-8 no program sends those as
//     controls, and who sends them hopes that the terminal behind takes them for some.
//   - The alternate screen is blank whenever it is entered, and nothing of it is kept when it is left.
//   - DECCOLM erases the screen, but the size belongs to the terminal's owner.
//   - Titles, the icon's name and the screen's checksum are not reported, and windows are not moved: these are ways to
//     make a terminal type what somebody else chose.
//   - The national character sets are ASCII.
//
// # Images
//
// Sixels, images of iTerm2 (OSC 1337;File with inline=1) and of kitty's graphics protocol are kept as the bytes that they
// came in, with the cells that they cover; a snapshot and a difference send them again. What decides how many cells these
// are is the size of a cell ([Screen.SetPixels]), unless the program says it in cells; where it is not known, the image is
// consumed and leaves nothing behind. Nor is kept what another terminal could not show from these bytes: sizes in percent
// of the screen, files and shared memory of kitty's protocol, its animations, and images that it numbers (I) or places
// relative to others. A program that asks first (DA1, or kitty's query) learns that there are no images: while nobody
// looks it shall draw none, and while somebody does, the viewer's terminal answers.
//
//   - An image begins at the cursor, or with DECSDM in the first cell. If it is higher than what is below, the text
//     scrolls. It is cut at the right edge.
//   - The cursor goes to the last row that the image covers: in the first column after sixels as in xterm (mode 8452:
//     right of them), right of it else. Kitty's goes to the next row if it would leave the screen; C=1, and wezterm's
//     doNotMoveCursor=1, keep it where it is.
//   - Sixels and images of iTerm2 stand in the place of text. They are gone as a whole, here, when one of their cells is
//     written, erased or covered by another; xterm, iTerm2 and wezterm go on showing the rest.
//   - Images of kitty lie above the text, as there: they go by its command to delete (all of d= but n and f), when their
//     number is sent again, and by ED 2.
//   - Images move with the rows that they stand on. One that does not move as a whole, because it leaves the screen or
//     meets a margin, is gone: the scrollback has none.
//   - The alternate screen has its own. On a resize those stay whose columns do; if cells have another size, those of
//     which that was measured are gone.
//
// # Bounds
//
// Whatever is written, the memory is bounded: by the size and the lines of scrollback, and beyond that by 64 Ki different
// styles, 64 Ki different clusters of 64 bytes and 4096 hyperlinks in use at a time, 256 KiB of an unfinished string, 64
// KiB of replies and 1 MiB of events that nobody takes; by 2 MiB of one image and 4 MiB of all, 64 that each of the two
// screens shows and 64 that it has stored. What does not fit is dropped: a style becomes the default one, a further
// combining mark vanishes, a string is consumed and ignored, an image leaves its place blank.
package screen
