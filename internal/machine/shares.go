package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/snugvm/snug/internal/guestinit"
)

// Share is a folder of the host that a machine sees.
type Share struct {
	Host     string // absolute, links resolved
	Guest    string // absolute and clean
	ReadOnly bool
}

// userland are the folders that hold the host's programs. On a merged system all
// but /usr and /opt are links into /usr.
var userland = []string{"usr", "opt", "bin", "sbin", "lib", "lib32", "lib64", "libx32"}

// HostShares returns the shares and links that give a guest the programs of the
// host at root, normally "/": every folder read-only, each by itself, so that
// nothing else of the host's root is in reach.
func HostShares(root string) ([]Share, []guestinit.Symlink, error) {
	var shares []Share
	var links []guestinit.Symlink
	for _, name := range userland {
		host := filepath.Join(root, name)
		info, err := os.Lstat(host)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, nil, fmt.Errorf("look for the host's programs: %w", err)
		case info.IsDir():
			shares = append(shares, Share{Host: host, Guest: "/" + name, ReadOnly: true})
		case info.Mode().Type() == fs.ModeSymlink:
			target, err := os.Readlink(host)
			if err != nil {
				return nil, nil, fmt.Errorf("look for the host's programs: %w", err)
			}
			links = append(links, guestinit.Symlink{Path: "/" + name, Target: target})
		}
	}
	if len(shares) == 0 || shares[0].Guest != "/usr" {
		return nil, nil, errors.New("this host has no /usr to share: snug run needs the programs of a Linux host")
	}
	return shares, links, nil
}

// GuestShares are the same folders as the guest is told of them. The tag of a
// share is its place in the list: see Tag.
func GuestShares(shares []Share) []guestinit.Share {
	guest := make([]guestinit.Share, 0, len(shares))
	for i, share := range shares {
		guest = append(guest, guestinit.Share{Tag: Tag(i), Path: path.Clean(share.Guest), ReadOnly: share.ReadOnly})
	}
	return guest
}

// Tag is the name that device and guest know the i-th share by.
func Tag(i int) string { return fmt.Sprintf("share%d", i) }
