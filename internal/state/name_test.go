package state

import (
	"strings"
	"testing"
)

func TestNamesFromFolders(t *testing.T) {
	for folder, want := range map[string]string{
		"/home/ann/web":                          "web-1",
		"/home/ann/My App!":                      "my-app-1",
		"/srv/.dotfiles":                         "dotfiles-1",
		"/srv/-x-":                               "x-1",
		"/srv/a.b_c":                             "a.b_c-1",
		"/srv/Größe":                             "gr-e-1",
		"/srv/日本":                                "snug-1",
		"/":                                      "snug-1",
		"":                                       "snug-1",
		"/srv/" + strings.Repeat("a", 60):        strings.Repeat("a", 30) + "-1",
		"/srv/" + strings.Repeat("a", 29) + "-b": strings.Repeat("a", 29) + "-1",
	} {
		if got := numbered(folder, 1); got != want {
			t.Errorf("%q: got %q, want %q", folder, got, want)
		}
	}
}

func TestCheckName(t *testing.T) {
	for name, want := range map[string]string{
		"web":                   "",
		"0.a_b-c":               "",
		strings.Repeat("a", 32): "",
		"":                      "cannot be empty",
		strings.Repeat("a", 33): "longer than 32",
		"-rf":                   `begins with "-"`,
		".hidden":               `begins with "."`,
		"a/b":                   `has '/' in it`,
		"Web":                   `begins with "W"`,
		"aß":                    `has 'ß' in it`,
		"a\x00":                 `has '\x00' in it`,
	} {
		err := CheckName(name)
		switch {
		case want == "" && err != nil:
			t.Errorf("%q: %v", name, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: got %v, want %q", name, err, want)
		}
	}
}

func FuzzNumbered(f *testing.F) {
	for _, seed := range []string{"/home/ann/web", "..", "/a/\xff\xfe", "/x/--", "/İ", strings.Repeat("é.", 40)} {
		f.Add(seed, 1)
	}
	f.Add("a", 1<<40)
	f.Fuzz(func(t *testing.T, folder string, n int) {
		if n < 1 {
			return
		}
		if err := CheckName(numbered(folder, n)); err != nil {
			t.Errorf("numbered(%q, %d): %v", folder, n, err)
		}
	})
}
