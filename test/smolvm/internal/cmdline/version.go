package cmdline

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Version is a release of smolvm.
type Version [3]int

// ParseVersion reads a version such as 0.8.1.
func ParseVersion(s string) (v Version, err error) {
	parts := strings.Split(s, ".")
	if len(parts) != len(v) {
		return v, fmt.Errorf("version %q is not MAJOR.MINOR.PATCH", s)
	}
	for i, p := range parts {
		if v[i], err = strconv.Atoi(p); err != nil || v[i] < 0 {
			return v, fmt.Errorf("version %q is not MAJOR.MINOR.PATCH", s)
		}
	}
	return v, nil
}

// Since reports whether v is other or later.
func (v Version) Since(other Version) bool {
	return cmp.Or(cmp.Compare(v[0], other[0]), cmp.Compare(v[1], other[1]), cmp.Compare(v[2], other[2])) >= 0
}

// NamesByPosition reports whether a machine to create or delete is named by a word without a flag.
func (v Version) NamesByPosition() bool { return !v.Since(nameByFlag) }

func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]) }
