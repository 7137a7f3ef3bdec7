package qemu

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
)

// Version is QEMU's.
type Version struct{ Major, Minor, Patch int }

func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch) }

// Least is the oldest QEMU that snug is made for.
var Least = Version{Major: 7, Minor: 2}

func (v Version) older(than Version) bool {
	if v.Major != than.Major {
		return v.Major < than.Major
	}
	return v.Minor < than.Minor
}

// program is QEMU for guests of this machine's own kind.
const program = "qemu-system-x86_64"

// FindBinary finds QEMU in PATH and asks for its version.
func FindBinary(ctx context.Context) (string, Version, error) {
	if runtime.GOARCH != "amd64" {
		return "", Version{}, fmt.Errorf("snug's own microVM runs on x86-64 only, this is %s: put snug in front of another sandbox's command", runtime.GOARCH)
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return "", Version{}, fmt.Errorf("QEMU was not found (%w): install it, on Debian with 'apt-get install qemu-system-x86'", err)
	}
	output, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return "", Version{}, fmt.Errorf("ask %s for its version: %w", path, err)
	}
	version, err := parseVersion(string(output))
	if err != nil {
		return "", Version{}, fmt.Errorf("ask %s for its version: %w", path, err)
	}
	if version.older(Least) {
		return "", Version{}, fmt.Errorf("%s is QEMU %v, and snug needs %v or later: upgrade it", path, version, Least)
	}
	return path, version, nil
}

var versionPattern = regexp.MustCompile(`version (\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?`)

func parseVersion(output string) (Version, error) {
	found := versionPattern.FindStringSubmatch(output)
	if found == nil {
		return Version{}, errors.New("its answer has no version in it")
	}
	number := func(i int) int { n, _ := strconv.Atoi(found[i]); return n } // digits, or empty
	return Version{number(1), number(2), number(3)}, nil
}
