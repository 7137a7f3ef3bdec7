package screen

//go:generate go -C ../bench run ./unicodetable

// class says how a code point takes part in a grapheme cluster (UAX #29, GB3 to GB13). Prepend (GB9b) is left out: a
// terminal cannot hold a character back until the next one arrives.
type class uint8

const (
	classOther class = iota
	classControl
	classExtend
	classZWJ
	classVS16
	classSpacing
	classRegional
	classL
	classV
	classT
	classSyllable // LV or LVT
	classPictographic
	classConsonant // InCB=Consonant
	classLinker    // InCB=Linker
)

type unicodeRange struct {
	first, last rune
	class       class
	width       uint8
}

// Properties are found in two steps, by block and by place in the block, in a byte each: the class and, above
// widthShift, the width.
const (
	blockBits  = 7
	blockSize  = 1 << blockBits
	widthShift = 6
)

var (
	unicodeBlocks [][blockSize]uint8
	unicodeIndex  [(0x10ffff + 1) >> blockBits]uint16
)

func init() {
	const plain = 1 << widthShift
	unicodeBlocks = make([][blockSize]uint8, 0, 256)
	known := map[[blockSize]uint8]uint16{}
	next := 0
	for block := range unicodeIndex {
		var props [blockSize]uint8
		for i := range props {
			r := rune(block<<blockBits + i)
			for next < len(unicodeRanges) && unicodeRanges[next].last < r {
				next++
			}
			props[i] = plain
			if next < len(unicodeRanges) && unicodeRanges[next].first <= r {
				props[i] = uint8(unicodeRanges[next].class) | unicodeRanges[next].width<<widthShift
			}
		}
		at, ok := known[props]
		if !ok {
			at = uint16(len(unicodeBlocks))
			known[props] = at
			unicodeBlocks = append(unicodeBlocks, props)
		}
		unicodeIndex[block] = at
	}
}

// lookup returns the class of r and the cells that it takes alone.
func lookup(r rune) (class, int) {
	if r < 0x7f {
		return classOther, 1
	}
	p := unicodeBlocks[unicodeIndex[uint32(r)>>blockBits]][r&(blockSize-1)]
	return class(p & (1<<widthShift - 1)), int(p >> widthShift)
}

// joint is the end of a cluster: what decides whether the next code point belongs to it.
type joint uint8

const (
	jointNone      joint = iota // only what extends any cluster joins
	jointRegional               // an odd regional indicator
	jointEmoji                  // a pictographic, perhaps extended
	jointEmojiZWJ               // the same and a joiner
	jointL                      // Hangul that an L, V or syllable may follow
	jointV                      // Hangul that a V or T may follow
	jointT                      // Hangul that a T may follow
	jointConsonant              // an Indic consonant, perhaps extended
	jointLinker                 // the same and a linker (virama)
)

// begin returns the joint of a cluster that is r alone, of class c.
func begin(r rune, c class) joint {
	switch c {
	case classRegional:
		return jointRegional
	case classPictographic:
		return jointEmoji
	case classL:
		return jointL
	case classV:
		return jointV
	case classT:
		return jointT
	case classSyllable:
		if (r-0xac00)%28 == 0 {
			return jointV
		}
		return jointT
	case classConsonant:
		return jointConsonant
	}
	return jointNone
}

// extends reports whether code points of class c belong to any cluster before them.
func extends(c class) bool {
	switch c {
	case classExtend, classZWJ, classVS16, classSpacing, classLinker:
		return true
	}
	return false
}

// open reports whether a code point that is no extender can belong to a cluster that ends in j.
func (j joint) open() bool {
	switch j {
	case jointRegional, jointEmojiZWJ, jointL, jointV, jointT, jointLinker:
		return true
	}
	return false
}

// join returns the joint of a cluster that ends in j after r, and whether r belongs to it.
func (j joint) join(r rune, c class) (joint, bool) {
	switch c {
	case classExtend, classVS16:
		if j == jointEmoji || j == jointConsonant || j == jointLinker {
			return j, true
		}
		return jointNone, true
	case classZWJ:
		switch j {
		case jointEmoji:
			return jointEmojiZWJ, true
		case jointConsonant, jointLinker:
			return j, true
		}
		return jointNone, true
	case classLinker:
		if j == jointConsonant || j == jointLinker {
			return jointLinker, true
		}
		return jointNone, true
	case classSpacing:
		return jointNone, true
	}
	if j.follows(c) {
		if c == classRegional {
			return jointNone, true
		}
		return begin(r, c), true
	}
	return begin(r, c), false
}

// follows reports whether code points of class c, no extenders, belong to a cluster that ends in j.
func (j joint) follows(c class) bool {
	switch j {
	case jointRegional:
		return c == classRegional
	case jointEmojiZWJ:
		return c == classPictographic
	case jointL:
		return c == classL || c == classV || c == classSyllable
	case jointV:
		return c == classV || c == classT
	case jointT:
		return c == classT
	case jointLinker:
		return c == classConsonant
	}
	return false
}
