package screen

// charset is a set of 94 characters that G0 to G3 can hold. Beside those that programs draw with, all are ASCII: with
// UTF-8 nobody needs the national ones.
type charset uint8

const (
	charsetASCII    charset = iota
	charsetGraphics         // DEC Special Character and Line Drawing Set
	charsetUK
)

// charsets are what is designated as G0 to G3, and which of them the next characters come from.
type charsets struct {
	g       [4]charset
	locked  uint8 // by SI, SO, LS2, LS3
	shifted uint8 // by SS2 or SS3, for the very next character; 0 for none
}

// plain reports whether ASCII means itself.
func (c *charsets) plain() bool { return c.shifted == 0 && c.g[c.locked] == charsetASCII }

// translate returns what a byte of ASCII means.
func (c *charsets) translate(b byte) rune {
	g := c.locked
	if c.shifted != 0 {
		g, c.shifted = c.shifted, 0
	}
	switch {
	case c.g[g] == charsetGraphics && b >= 0x5f && b <= 0x7e:
		return decGraphics[b-0x5f]
	case c.g[g] == charsetUK && b == '#':
		return '£'
	}
	return rune(b)
}

// decGraphics begins at 0x5f.
var decGraphics = [...]rune{
	' ', '◆', '▒', '␉', '␌', '␍', '␊', '°', '±', '␤', '␋', '┘', '┐', '┌', '└', '┼',
	'⎺', '⎻', '─', '⎼', '⎽', '├', '┤', '┴', '┬', '│', '≤', '≥', 'π', '≠', '£', '·',
}

// designate is ESC with an intermediate that names one of G0 to G3 and a final byte that names a set.
func (c *charsets) designate(inter, final byte) {
	var set charset
	switch final {
	case '0', '2':
		set = charsetGraphics
	case 'A':
		set = charsetUK
	}
	switch inter {
	case '(':
		c.g[0] = set
	case ')':
		c.g[1] = set
	case '*':
		c.g[2] = set
	case '+':
		c.g[3] = set
	}
}
