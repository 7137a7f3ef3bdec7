package screen

import (
	"maps"
	"slices"
	"unicode/utf8"
)

// Bounds of what the screen keeps beside its cells.
const (
	maxStyles       = 1 << 16 // styles in use at a time; text in more of them is shown in the default one
	maxClusters     = 1 << 16 // clusters in use at a time; further combining marks are dropped
	maxLinks        = 1 << 12 // hyperlinks in use at a time; further ones are plain text
	maxClusterBytes = 64      // of a cluster; combining marks beyond are dropped
	maxLinkBytes    = 4096    // of a hyperlink's target and parameters; longer ones are plain text
)

// table numbers the values that cells refer to. Numbers are stable; number 0 is the zero value.
type table[T comparable] struct {
	values   []T
	numbers  map[T]uint32
	free     []uint32
	limit    int
	patience int // additions that are refused before the next collection
}

func newTable[T comparable](limit int) table[T] {
	var zero T
	return table[T]{values: []T{zero}, numbers: map[T]uint32{zero: 0}, limit: limit}
}

// add returns the number of v, or false if there is no room for it.
func (t *table[T]) add(v T, collect func()) (uint32, bool) {
	if n, ok := t.numbers[v]; ok {
		return n, true
	}
	if len(t.free) == 0 && len(t.values) >= t.limit {
		// A collection that finds nothing must not be repeated for each character.
		if t.patience > 0 {
			t.patience--
			return 0, false
		}
		if collect != nil {
			collect()
		}
		if len(t.free) < t.limit/8 {
			t.patience = t.limit
		}
		if len(t.free) == 0 {
			return 0, false
		}
	}
	var n uint32
	if last := len(t.free) - 1; last >= 0 {
		n, t.free = t.free[last], t.free[:last]
		t.values[n] = v
	} else {
		n = uint32(len(t.values))
		t.values = append(t.values, v)
	}
	t.numbers[v] = n
	return n, true
}

// keep frees the numbers that used does not hold.
func (t *table[T]) keep(used []bool) {
	var zero T
	t.free = t.free[:0]
	for n := len(t.values) - 1; n > 0; n-- {
		if used[n] {
			continue
		}
		if v := t.values[n]; t.numbers[v] == uint32(n) {
			delete(t.numbers, v)
		}
		t.values[n] = zero
		t.free = append(t.free, uint32(n))
	}
}

func (t *table[T]) clone() table[T] {
	c := *t
	c.values = slices.Clone(t.values)
	c.free = slices.Clone(t.free)
	c.numbers = maps.Clone(t.numbers)
	return c
}

// tables are what the cells of one screen refer to.
type tables struct {
	styles   table[Style]
	clusters table[string]
	links    table[link]
}

func newTables() tables {
	return tables{newTable[Style](maxStyles), newTable[string](maxClusters), newTable[link](maxLinks)}
}

func (t *tables) clone() tables {
	return tables{t.styles.clone(), t.clusters.clone(), t.links.clone()}
}

// text returns what c shows; an erased cell and a tail show nothing.
func (t *tables) text(c cell) string {
	switch {
	case c&textMask == 0:
		return ""
	case c.isCluster():
		return t.clusters.values[c.cluster()]
	}
	return string(c.rune())
}

func (t *tables) appendText(b []byte, c cell) []byte {
	switch {
	case c&textMask == 0:
		return b
	case c.isCluster():
		return append(b, t.clusters.values[c.cluster()]...)
	}
	return utf8.AppendRune(b, c.rune())
}

// joint returns how the text of c ends.
func (t *tables) joint(c cell) joint {
	if !c.isCluster() {
		r := c.rune()
		class, _ := lookup(r)
		return begin(r, class)
	}
	j := jointNone
	for i, r := range t.clusters.values[c.cluster()] {
		class, _ := lookup(r)
		if i == 0 {
			j = begin(r, class)
		} else {
			j, _ = j.join(r, class)
		}
	}
	return j
}

// joins reports whether the text of c, written right after that before it, would become a part of it.
func (t *tables) joins(before, c cell) bool {
	j := t.joint(before)
	if !j.open() {
		return false
	}
	r, _ := utf8.DecodeRuneInString(t.text(c))
	class, _ := lookup(r)
	_, joins := j.join(r, class)
	return joins
}

// collect frees the styles, clusters and links that nothing refers to.
func (s *Screen) collect() {
	styles := make([]bool, len(s.tab.styles.values))
	clusters := make([]bool, len(s.tab.clusters.values))
	mark := func(cells []cell) {
		for _, c := range cells {
			styles[c.style()] = true
			if c.isCluster() {
				clusters[c.cluster()] = true
			}
		}
	}
	for _, buf := range []*buffer{&s.main, &s.alt} {
		for _, r := range buf.rows {
			mark(r.cells[:r.used])
		}
	}
	for i := range s.history.count {
		mark(s.history.line(i).cells())
	}
	links := make([]bool, len(s.tab.links.values))
	for n, used := range styles {
		links[s.tab.styles.values[n].link] = links[s.tab.styles.values[n].link] || used
	}
	for _, pen := range []Style{s.pen, s.main.saved.pen, s.alt.saved.pen} {
		links[pen.link] = true
	}
	s.tab.styles.keep(styles)
	s.tab.clusters.keep(clusters)
	s.tab.links.keep(links)
	s.penCells.inked, s.penCells.blanked = false, false
}
