package screen

import (
	"strings"
	"testing"
)

// behaviour is what output does to a screen of 10 columns and 5 rows. The lists of esctest2 and libvterm say what there
// is to be tested; what is right is what xterm's documentation and DEC's manuals say.
type behaviour struct {
	output string
	text   string // of the rows, without empty ones at the end
	x, y   int    // the cursor
}

// digits fills the rows with their numbers.
const digits = "0000000000\r\n1111111111\r\n2222222222\r\n3333333333\r\n4444444444"

func try(t *testing.T, tests map[string]behaviour) {
	t.Helper()
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := written(t, 10, 5, tt.output)
			if got := strings.TrimRight(s.Text(), "\n"); got != tt.text {
				t.Errorf("the screen is\n%s\nwant\n%s", got, tt.text)
			}
			if s.x != tt.x || s.y != tt.y {
				t.Errorf("the cursor is at %d,%d, want %d,%d", s.x, s.y, tt.x, tt.y)
			}
		})
	}
}

func TestCursorMovement(t *testing.T) {
	try(t, map[string]behaviour{
		"CUP counts from 1":                       {"\x1b[2;3Hx", "\n  x", 3, 1},
		"CUP takes 0 for 1":                       {"\x1b[0;0Hx", "x", 1, 0},
		"CUP stops at the edges":                  {"\x1b[99;99Hx", "\n\n\n\n         x", 9, 4},
		"CUU stops at the top margin from below":  {"\x1b[2;4r\x1b[3;1H\x1b[9Ax", "\nx", 1, 1},
		"CUU goes on from above the top margin":   {"\x1b[3;4r\x1b[2;1H\x1b[9Ax", "x", 1, 0},
		"CUD stops at the bottom margin":          {"\x1b[2;4r\x1b[3;1H\x1b[9Bx", "\n\n\nx", 1, 3},
		"CUF stops at the right margin":           {"\x1b[?69h\x1b[3;5s\x1b[1;3H\x1b[9Cx", "    x", 4, 0},
		"CUF goes on from beyond the margin":      {"\x1b[?69h\x1b[3;5s\x1b[1;7H\x1b[9Cx", "         x", 9, 0},
		"CUB stops at the left margin":            {"\x1b[?69h\x1b[3;5s\x1b[1;4H\x1b[9Dx", "  x", 3, 0},
		"CNL and CPL go to the first column":      {"ab\x1b[2Ec\x1b[Fd", "ab\nd\nc", 1, 1},
		"HPA, HPR, VPA, VPR":                      {"\x1b[3`a\x1b[2ab\x1b[3dc\x1b[ed", "  a  b\n\n      c\n       d", 8, 3},
		"HVP is CUP":                              {"\x1b[2;2fx", "\n x", 2, 1},
		"origin mode counts within the margins":   {"\x1b[2;4r\x1b[?6hx\x1b[9;9Hy", "\nx\n\n        y", 9, 3},
		"origin mode and left margin":             {"\x1b[?69h\x1b[3;5s\x1b[?6h\x1b[1;9Hx", "    x", 4, 0},
		"DECSTBM brings the cursor home":          {"abc\x1b[2;3rx", "xbc", 1, 0},
		"DECSTBM of one row is none":              {"ab\x1b[2;2rx", "abx", 3, 0},
		"DECSLRM without DECLRMM is SCOSC":        {"ab\x1b[s\x1b[5;5H\x1b[ux", "abx", 3, 0},
		"IND in the last row scrolls":             {"a\x1b[5;1Hb\x1bDc", "\n\n\nb\n c", 2, 4},
		"RI in the first row scrolls":             {"a\r\nb\x1b[1;1H\x1bMc", "c\na\nb", 1, 0},
		"NEL":                                     {"ab\x1bEc", "ab\nc", 1, 1},
		"LF beyond the margins scrolls nothing":   {"\x1b[2;3r\x1b[5;1Hx\ny", "\n\n\n\nxy", 2, 4},
		"LNM makes LF go to the first column":     {"\x1b[20hab\nc", "ab\nc", 1, 1},
		"VT and FF are LF":                        {"a\vb\fc", "a\n b\n  c", 3, 2},
		"BS stops at the first column":            {"a\b\b\bx", "x", 1, 0},
		"BS in mode 45 returns to a wrapped row":  {"\x1b[?45h0123456789a\b\bx", "012345678x\na", 9, 0},
		"BS in mode 45 keeps to an unwrapped row": {"\x1b[?45hab\r\n\bx", "ab\nx", 1, 1},
		"DECBI at the left margin moves the text": {"abc\r\x1b6x", "xabc", 1, 0},
		"DECFI at the right margin moves it back": {"abc\x1b[1;10H\x1b9x", "bc       x", 9, 0},
		"CR beyond the left margin goes to it":    {"\x1b[?69h\x1b[3;5s\x1b[1;5H\rx", "  x", 3, 0},
		"CR before the left margin goes to 0":     {"\x1b[?69h\x1b[3;5s\x1b[1;2H\rx", "x", 1, 0},
	})
}

func TestWrapping(t *testing.T) {
	try(t, map[string]behaviour{
		"the last column does not wrap yet":         {"0123456789", "0123456789", 9, 0},
		"the next character wraps":                  {"0123456789a", "0123456789\na", 1, 1},
		"CR ends a wrap that waits":                 {"0123456789\rx", "x123456789", 1, 0},
		"BS goes one back from the last column":     {"0123456789\bx", "01234567x9", 9, 0},
		"erasing takes the last column":             {"0123456789\x1b[Kx", "012345678x", 9, 0},
		"SGR leaves a wrap waiting":                 {"0123456789\x1b[1mx", "0123456789\nx", 1, 1},
		"a tab leaves a wrap waiting":               {"0123456789\tx", "0123456789\nx", 1, 1},
		"DECSC and DECRC keep it":                   {"0123456789\x1b7\x1b[H\x1b8x", "0123456789\nx", 1, 1},
		"without DECAWM the last column is reused":  {"\x1b[?7l0123456789abc", "012345678c", 9, 0},
		"at the bottom it scrolls":                  {digits + "x", "1111111111\n2222222222\n3333333333\n4444444444\nx", 1, 4},
		"below the margins it does not":             {"\x1b[1;2r\x1b[5;1H0123456789x", "\n\n\n\nx123456789", 1, 4},
		"a right margin wraps to the left one":      {"\x1b[?69h\x1b[3;5s\x1b[1;3Habcd", "  abc\n  d", 3, 1},
		"beyond the right margin the edge wraps":    {"\x1b[?69h\x1b[3;5s\x1b[1;9Habc", "        ab\n  c", 3, 1},
		"a wide character wraps early":              {"012345678世", "012345678\n世", 2, 1},
		"and is dropped where it cannot":            {"\x1b[?7l012345678世", "012345678", 9, 0},
		"insert mode moves the line":                {"abc\r\x1b[4hxy", "xyabc", 2, 0},
		"insert mode loses text at the margin":      {"0123456789\r\x1b[4hx", "x012345678", 1, 0},
		"insert mode keeps to the right margin":     {"0123456789\x1b[?69h\x1b[1;5s\x1b[4hx", "x012356789", 1, 0},
		"REP repeats the last character":            {"ab\x1b[3b", "abbbb", 5, 0},
		"REP repeats a cluster":                     {"e\u0301\x1b[b", "e\u0301e\u0301", 2, 0},
		"REP wraps":                                 {"01234567x\x1b[3b", "01234567xx\nxx", 2, 1},
		"REP of nothing is nothing":                 {"\x1b[5b", "", 0, 0},
		"DEL is ignored":                            {"a\x7fb", "ab", 2, 0},
		"NUL and ENQ are ignored":                   {"a\x00\x05b", "ab", 2, 0},
		"a control within a sequence is executed":   {"ab\x1b[1\r;3Hx", "abx", 3, 0},
		"CAN ends a sequence":                       {"\x1b[1;\x18x", "x", 1, 0},
		"ESC begins another":                        {"\x1b[1;\x1b[2;2Hx", "\n x", 2, 1},
		"C1 as characters are ignored":              {"a\u0085b\u009b2Jc", "ab2Jc", 5, 0},
		"ill-formed bytes are replaced, one by one": {"a\xff\xfe\x80b", "a\ufffd\ufffd\ufffdb", 5, 0},
		"a truncated character is replaced once":    {"\xe4\xb8x", "\ufffdx", 2, 0},
		"a surrogate is three ill-formed bytes":     {"\xed\xa0\x80", "\ufffd\ufffd\ufffd", 3, 0},
		"text ends a sequence":                      {"\x1b[1;世", "世", 2, 0},
	})
}

func TestEditing(t *testing.T) {
	try(t, map[string]behaviour{
		"ED 0":                                  {digits + "\x1b[3;3H\x1b[J", "0000000000\n1111111111\n22", 2, 2},
		"ED 1":                                  {digits + "\x1b[3;3H\x1b[1J", "\n\n   2222222\n3333333333\n4444444444", 2, 2},
		"ED 2 leaves the cursor":                {digits + "\x1b[3;3H\x1b[2J", "", 2, 2},
		"EL 0, 1, 2":                            {digits + "\x1b[1;3H\x1b[K\x1b[2;3H\x1b[1K\x1b[3;3H\x1b[2K", "00\n   1111111\n\n3333333333\n4444444444", 2, 2},
		"ECH keeps to the line":                 {digits + "\x1b[2;8H\x1b[9X", "0000000000\n1111111\n2222222222\n3333333333\n4444444444", 7, 1},
		"ICH":                                   {"0123456789\x1b[1;3H\x1b[2@", "01  234567", 2, 0},
		"ICH of a line":                         {"0123456789\x1b[1;3H\x1b[99@", "01", 2, 0},
		"ICH beyond the margins does nothing":   {"0123456789\x1b[?69h\x1b[3;5s\x1b[1;7H\x1b[@", "0123456789", 6, 0},
		"DCH":                                   {"0123456789\x1b[1;3H\x1b[2P", "01456789", 2, 0},
		"DCH keeps to the right margin":         {"0123456789\x1b[?69h\x1b[3;6s\x1b[1;4H\x1b[P", "01245 6789", 3, 0},
		"IL":                                    {digits + "\x1b[2;3H\x1b[2L", "0000000000\n\n\n1111111111\n2222222222", 0, 1},
		"IL keeps to the bottom margin":         {digits + "\x1b[1;3r\x1b[2;1H\x1b[L", "0000000000\n\n1111111111\n3333333333\n4444444444", 0, 1},
		"IL outside the margins":                {digits + "\x1b[1;2r\x1b[4;3H\x1b[L", "0000000000\n1111111111\n2222222222\n3333333333\n4444444444", 2, 3},
		"DL":                                    {digits + "\x1b[2;3H\x1b[2M", "0000000000\n3333333333\n4444444444", 0, 1},
		"DL between left and right margins":     {digits + "\x1b[?69h\x1b[3;5s\x1b[2;3H\x1b[M", "0000000000\n1122211111\n2233322222\n3344433333\n44   44444", 2, 1},
		"IL between left and right margins":     {digits + "\x1b[?69h\x1b[3;5s\x1b[2;3H\x1b[L", "0000000000\n11   11111\n2211122222\n3322233333\n4433344444", 2, 1},
		"SU":                                    {digits + "\x1b[2S", "2222222222\n3333333333\n4444444444", 9, 4},
		"SD":                                    {digits + "\x1b[2T", "\n\n0000000000\n1111111111\n2222222222", 9, 4},
		"SD with five parameters is no SD":      {digits + "\x1b[1;1;1;1;1T", "0000000000\n1111111111\n2222222222\n3333333333\n4444444444", 9, 4},
		"SU within all margins":                 {digits + "\x1b[2;4r\x1b[?69h\x1b[3;5s\x1b[S", "0000000000\n1122211111\n2233322222\n33   33333\n4444444444", 0, 0},
		"SL and SR":                             {"abcd\x1b[2 @\x1b[ A", " cd", 4, 0},
		"DECIC":                                 {digits + "\x1b[1;3H\x1b[2'}", "00  000000\n11  111111\n22  222222\n33  333333\n44  444444", 2, 0},
		"DECDC":                                 {digits + "\x1b[1;3H\x1b[2'~", "00000000\n11111111\n22222222\n33333333\n44444444", 2, 0},
		"DECALN":                                {"\x1b[2;3r\x1b#8", strings.TrimRight(strings.Repeat("EEEEEEEEEE\n", 5), "\n"), 0, 0},
		"DECSED keeps what is protected":        {"a\x1b[1\"qb\x1b[0\"qc\x1b[?2J", " b", 3, 0},
		"DECSEL keeps what is protected":        {"a\x1b[1\"qb\x1b[2\"qc\x1b[?2K", " b", 3, 0},
		"EL does not":                           {"a\x1b[1\"qb\x1b[2K", "", 2, 0},
		"half a wide character is overwritten":  {"世界\x1b[1;2Hx", " x界", 2, 0},
		"half a wide character is erased":       {"世界\x1b[1;2H\x1b[X", "  界", 1, 0},
		"DCH of half a wide character":          {"世界\x1b[1;2H\x1b[P", " 界", 1, 0},
		"a wide character pushed over the edge": {"01234567世\x1b[1;1H\x1b[@", " 01234567", 0, 0},
		"DECERA":                                {digits + "\x1b[2;3;4;5$z", "0000000000\n11   11111\n22   22222\n33   33333\n4444444444", 9, 4},
		"DECERA of all":                         {digits + "\x1b[$z", "", 9, 4},
		"DECFRA":                                {"\x1b[88;2;3;3;5$x", "\n  XXX\n  XXX", 0, 0},
		"DECFRA in origin mode":                 {"\x1b[2;4r\x1b[?6h\x1b[88;1;1;1;2$x", "\nXX", 0, 1},
		"DECFRA of a control does nothing":      {"\x1b[7;2;3;3;5$x", "", 0, 0},
		"DECCRA":                                {"ab\r\ncd\x1b[1;1;2;2;1;3;5;1$v", "ab\ncd\n    ab\n    cd", 2, 1},
		"DECCRA over itself":                    {"abcd\x1b[1;1;1;3;1;1;2;1$v", "aabc", 4, 0},
		"DECSERA keeps what is protected":       {"a\x1b[1\"qb\x1b[0\"qc\x1b[1;1;1;3${", " b", 3, 0},
	})
}

func TestTabs(t *testing.T) {
	try(t, map[string]behaviour{
		"stops are every eight columns":   {"\tx", "        x", 9, 0},
		"the last column is a stop":       {"\t\tx", "         x", 9, 0},
		"HTS sets one":                    {"\x1b[1;4H\x1bH\r\tx", "   x", 4, 0},
		"TBC 0 clears one":                {"\x1b[1;9H\x1b[g\r\tx", "         x", 9, 0},
		"TBC 3 clears all":                {"\x1b[3g\tx", "         x", 9, 0},
		"DECST8C sets those at the start": {"\x1b[3g\x1b[?5W\tx", "        x", 9, 0},
		"CHT":                             {"\x1b[2Ix", "         x", 9, 0},
		"CBT":                             {"\x1b[1;10H\x1b[Zx", "        x", 9, 0},
		"CBT stops at the first column":   {"abc\x1b[9Zx", "xbc", 1, 0},
		"a tab stops at the right margin": {"\x1b[?69h\x1b[2;5s\x1b[1;2H\tx", "    x", 4, 0},
		"a tab writes nothing over text":  {"abc\r\tx", "abc     x", 9, 0},
		"RIS brings the stops back":       {"\x1b[3g\x1bc\tx", "        x", 9, 0},
	})
}

func TestCharsets(t *testing.T) {
	try(t, map[string]behaviour{
		"DEC graphics":                           {"\x1b(0lqk\x1b(Bq", "┌─┐q", 4, 0},
		"G1 by SO and SI":                        {"\x1b)0\x0eq\x0fq", "─q", 2, 0},
		"SS2 is for one character":               {"\x1b*0\x1bNqq", "─q", 2, 0},
		"SS3 is for one character":               {"\x1b+0\x1bOqq", "─q", 2, 0},
		"LS2 and LS3":                            {"\x1b*0\x1b+A\x1bnq\x1bo#\x0f#", "─£#", 3, 0},
		"UK":                                     {"\x1b(A#", "£", 1, 0},
		"others are ASCII":                       {"\x1b(4#[", "#[", 2, 0},
		"DECSC and DECRC":                        {"\x1b(0\x1b7\x1b(B\x1b8q", "─", 1, 0},
		"other characters are what they are":     {"\x1b(0é世", "é世", 3, 0},
		"DECSTR brings ASCII back":               {"\x1b(0\x1b[!pq", "q", 1, 0},
		"upper-case letters are no line drawing": {"\x1b(0ABC", "ABC", 3, 0},
	})
}

func TestGraphemes(t *testing.T) {
	try(t, map[string]behaviour{
		"a combining mark takes no cell":             {"e\u0301x", "e\u0301x", 2, 0},
		"it joins the last column":                   {"012345678e\u0301x", "012345678e\u0301\nx", 1, 1},
		"it joins after the cursor was placed":       {"ex\x1b[1;2H\u0301", "e\u0301x", 1, 0},
		"it has nothing to join at the beginning":    {"\u0301x", "x", 1, 0},
		"it takes a space where nothing was written": {"\x1b[1;3H\u0301", "  \u0301", 2, 0},
		"a ZWJ sequence is two cells":                {"👩\u200d🚀x", "👩\u200d🚀x", 3, 0},
		"a flag is two cells":                        {"🇩🇪🇫🇷x", "🇩🇪🇫🇷x", 5, 0},
		"VS16 makes two cells":                       {"❤\ufe0fx", "❤\ufe0fx", 3, 0},
		"VS16 without room is dropped":               {"012345678❤\ufe0fx", "012345678❤\nx", 1, 1},
		"VS15 leaves the width":                      {"🚀\ufe0ex", "🚀\ufe0ex", 3, 0},
		"a key cap":                                  {"1\ufe0f\u20e3x", "1\ufe0f\u20e3x", 3, 0},
		"a skin tone":                                {"👍🏽x", "👍🏽x", 3, 0},
		"Hangul by its letters":                      {"\u1112\u1161\u11abx", "\u1112\u1161\u11abx", 3, 0},
		"an Indic conjunct":                          {"क\u094dषx", "क\u094dषx", 2, 0},
		"nothing joins over a movement":              {"🇩\x1b[1;3H🇪x", "🇩🇪x", 5, 0},
		"a zero-width space is dropped":              {"a\u200bb", "ab", 2, 0},
		"a soft hyphen is shown":                     {"a\u00adb", "a\u00adb", 3, 0},
		"a wide character takes two":                 {"世x", "世x", 3, 0},
	})
	for _, cluster := range []string{"👩\u200d🚀", "e\u0301", "🇩🇪", "1\ufe0f\u20e3"} {
		if got := written(t, 10, 1, cluster).Cell(0, 0).Text; got != cluster {
			t.Errorf("the cell of %q holds %q", cluster, got)
		}
	}
	if got := written(t, 10, 1, "🇩\x1b[1;3H🇪").Cell(0, 0).Text; got != "🇩" {
		t.Errorf("half a flag that stands alone has become %q", got)
	}
}

func TestScreensAndSavedCursors(t *testing.T) {
	try(t, map[string]behaviour{
		"1049 shows a blank screen":               {"main\x1b[?1049h", "", 4, 0},
		"and brings text and cursor back":         {"main\x1b[?1049h\x1b[3;3Halt\x1b[?1049lx", "mainx", 5, 0},
		"47 leaves the cursor where it is":        {"main\x1b[?47h\x1b[3;3Halt\x1b[?47lx", "main\n\n     x", 6, 2},
		"the alternate screen is blank each time": {"\x1b[?47halt\x1b[?47l\x1b[?47h", "", 3, 0},
		"1048 saves and restores":                 {"ab\x1b[?1048h\x1b[3;3H\x1b[?1048lx", "abx", 3, 0},
		"DECRC without DECSC is home":             {"ab\x1b8x", "xb", 1, 0},
		"DECSC saves origin mode":                 {"\x1b[2;4r\x1b[?6h\x1b7\x1b[?6l\x1b8\x1b[1;1Hx", "\nx", 1, 1},
		"each screen has a saved cursor":          {"ab\x1b7\x1b[?47h\x1b[3;3H\x1b7\x1b[?47l\x1b8x", "abx", 3, 0},
		"RIS":                                     {"ab\x1b[2;3r\x1b[?1049hcd\x1bcx", "x", 1, 0},
		"DECSTR leaves text and cursor":           {"ab\x1b[?6h\x1b[4h\x1b[2;2Hc\x1b[!px", "ab\n cx", 3, 1},
	})
}

// The text of these is that of the scrollback and the screen, and the cursor's row is counted from its first.
func TestResizing(t *testing.T) {
	tests := map[string]struct {
		output           string
		cols, rows       int
		text             string
		x, y, scrollback int
	}{
		"a narrower screen breaks lines":          {"0123456789\r\nab", 5, 5, "01234\n56789\nab", 2, 2, 1},
		"a wider screen joins what was broken":    {"0123456789abc\r\nd", 20, 5, "0123456789abc\nd", 1, 1, 0},
		"but not what a newline has ended":        {"0123456789\r\nabc", 20, 5, "0123456789\nabc", 3, 1, 0},
		"a wide character is not broken":          {"0123世", 5, 5, "0123\n世", 2, 1, 1},
		"and joined again without a gap":          {"012345678世", 20, 5, "012345678世", 11, 0, 0},
		"a lower screen drops rows at the bottom": {"a\r\nb", 10, 2, "a\nb", 1, 1, 0},
		"then sends rows to the scrollback":       {digits, 10, 2, strings.ReplaceAll(digits, "\r", ""), 9, 4, 3},
		"a higher one fetches them back":          {digits + "\r\nx", 10, 6, strings.ReplaceAll(digits, "\r", "") + "\nx", 1, 5, 0},
		"the alternate screen is cut":             {"\x1b[?1049h0123456789\r\nab", 5, 2, "01234\nab", 2, 1, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := written(t, 10, 5, tt.output)
			s.Resize(tt.cols, tt.rows)
			if err := s.check(); err != nil {
				t.Fatal(err)
			}
			text := strings.TrimRight(s.Text(), "\n")
			for i := range s.Scrollback() {
				var line strings.Builder
				for col := range tt.cols {
					line.WriteString(s.Cell(col, -1-i).Text)
				}
				text = line.String() + "\n" + text
			}
			if text != tt.text {
				t.Errorf("the text is\n%s\nwant\n%s", text, tt.text)
			}
			if y := s.y + s.Scrollback(); s.x != tt.x || y != tt.y {
				t.Errorf("the cursor is at %d,%d, want %d,%d", s.x, y, tt.x, tt.y)
			}
			if s.Scrollback() != tt.scrollback {
				t.Errorf("%d lines of scrollback, want %d", s.Scrollback(), tt.scrollback)
			}
		})
	}
}
