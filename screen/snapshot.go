package screen

// SnapshotOptions say for which terminal a snapshot is.
type SnapshotOptions struct {
	// Scrollback is how many of the newest lines above the screen are sent first; negative is all.
	Scrollback int
	// Cols and Rows are the size of the terminal; 0 is that of the screen. At another size it shows what the screen
	// would show after [Screen.Resize].
	Cols, Rows int
	// WithoutImages leaves images out. Else they are sent as the program has sent them, up to 4 MiB of them, to a terminal
	// that may not know their protocol and then shows nothing.
	WithoutImages bool
}

// Snapshot returns bytes that bring a terminal that was just switched on, or reset, to this screen: the text of both
// screens, colours and attributes, the cursor and the saved ones, margins, tab stops, modes, titles, the keyboard
// protocol, character sets and the palette. If a sequence or character has been written in part, that part comes last.
// Synchronized output (mode 2026) is never switched on: nobody would end it.
func (s *Screen) Snapshot(opts SnapshotOptions) []byte {
	cols, rows := s.cols, s.rows
	if opts.Cols > 0 {
		cols = clampSize(opts.Cols)
	}
	if opts.Rows > 0 {
		rows = clampSize(opts.Rows)
	}
	if cols != s.cols || rows != s.rows {
		s = s.Clone(true)
		s.Resize(cols, rows)
	}
	lines := opts.Scrollback
	if lines < 0 {
		lines = s.history.count
	}
	p := newPainter(New(cols, rows, Options{}), s, s.history.newest(lines))
	p.without = opts.WithoutImages
	p.paint()
	return p.out
}

// newest returns the last n lines, or as many as there are.
func (h *history) newest(n int) []packedLine {
	n = min(n, h.count)
	lines := make([]packedLine, n)
	for i := range lines {
		lines[i] = h.line(h.count - n + i)
	}
	return lines
}

// Diff returns bytes that bring a terminal that shows from to what to shows, for a viewer that has not seen what was
// written in between. From is a [Screen.Clone] of an earlier state of to, without scrollback if there is none to be kept
// right. Neither is changed.
//
// Lines that have gone to the scrollback since pass through the terminal, so that its own scrollback has them: the newest
// scrollback of them, or with a negative number all that are kept. If lines kept by both have changed, because a screen
// was resized or cleared its scrollback, that of the terminal is sent anew where from has one and all is asked for.
//
// A terminal of another size is reset, and gets a snapshot.
func Diff(from, to *Screen, scrollback int) []byte {
	all := scrollback < 0
	if all {
		scrollback = to.history.count
	}
	if from.cols != to.cols || from.rows != to.rows {
		p := newPainter(New(to.cols, to.rows, Options{}), to, to.history.newest(scrollback))
		p.out = append(p.out, "\x18\x1bc"...)
		if all {
			p.out = append(p.out, "\x1b[3J"...)
		}
		p.seen = len(p.out)
		p.paint()
		return p.out
	}
	same := from.history.epoch == to.history.epoch
	anew := !same && all && from.history.limit > 0
	lines := 0
	switch {
	case anew:
		lines = to.history.count
	case same && to.history.pushed > from.history.pushed:
		lines = int(min(to.history.pushed-from.history.pushed, uint64(min(scrollback, to.history.count))))
	}
	p := newPainter(from.Clone(false), to, to.history.newest(lines))
	if anew && from.history.count > 0 {
		p.neutral()
		p.emit("\x1b[3J")
	}
	p.paint()
	return p.out
}
