package transfer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/pkg/sftp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// remote is this host by sftp.
func remote(t *testing.T) Remote {
	t.Helper()
	here, there := net.Pipe()
	server, err := sftp.NewServer(there)
	must(t, err)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve()
	}()
	c, err := sftp.NewClientPipe(here, here)
	must(t, err)
	t.Cleanup(func() {
		_ = c.Close()
		_ = here.Close()
		<-served
	})
	return Remote{c}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func source(t *testing.T, name string) Place {
	t.Helper()
	p, closer, err := Source(name)
	must(t, err)
	t.Cleanup(func() { _ = closer.Close() })
	return p
}

func destination(t *testing.T, name string) Place {
	t.Helper()
	p, closer, err := Destination(name)
	must(t, err)
	t.Cleanup(func() { _ = closer.Close() })
	return p
}

func write(t *testing.T, name, content string, mode fs.FileMode) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(name), 0o755))
	must(t, os.WriteFile(name, []byte(content), 0o600))
	must(t, os.Chmod(name, mode))
}

// tree lists what is below a folder: names, modes, contents.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	must(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		must(t, err)
		info, err := d.Info()
		must(t, err)
		rel, _ := filepath.Rel(dir, name)
		if rel == "." {
			return nil
		}
		b.WriteString(rel + " " + info.Mode().String())
		if info.Mode().IsRegular() {
			content, err := os.ReadFile(name)
			must(t, err)
			b.WriteString(" " + string(content))
		}
		b.WriteString("\n")
		return nil
	}))
	return b.String()
}

var umask = Options{Recursive: true, Umask: 0o022}

// Each test that does not say otherwise goes both ways.
func bothWays(t *testing.T, test func(t *testing.T, from, to func(name string) Place)) {
	t.Helper()
	r := remote(t)
	far := func(name string) Place { return On(r, "box", name) }
	t.Run("into the machine", func(t *testing.T) { test(t, func(n string) Place { return source(t, n) }, far) })
	t.Run("out of the machine", func(t *testing.T) { test(t, far, func(n string) Place { return destination(t, n) }) })
}

func TestTreesAreCopied(t *testing.T) {
	bothWays(t, func(t *testing.T, from, to func(string) Place) {
		a, b := filepath.Join(t.TempDir(), "a"), t.TempDir()
		write(t, a+"/one", strings.Repeat("1", 100_000), 0o666)
		write(t, a+"/sub/two", "2", 0o755)
		write(t, a+"/closed/three", "3", 0o400)
		must(t, os.Mkdir(a+"/empty", 0o755))
		must(t, os.Symlink("one", a+"/link"))
		must(t, os.Chmod(a+"/closed", 0o555))
		t.Cleanup(func() {
			_ = os.Chmod(a+"/closed", 0o755)
			_ = os.Chmod(b+"/a/closed", 0o755)
			_ = os.Chmod(b+"/new/closed", 0o755)
		})
		must(t, Copy(t.Context(), []Place{from(a)}, to(b), umask))
		must(t, Copy(t.Context(), []Place{from(a + "/")}, to(b+"/new/"), umask))
		want := strings.ReplaceAll(tree(t, a), "one -rw-rw-rw-", "one -rw-r--r--")
		want = strings.Replace(want, "link Lrwxrwxrwx", "link -rw-r--r-- "+strings.Repeat("1", 100_000), 1)
		for _, name := range []string{"/a", "/new"} {
			if got := tree(t, b+name); got != want {
				t.Errorf("%s is\n%.300s\nwant\n%.300s", name, got, want)
			}
		}
	})
}

func TestModesAndTimesArePreserved(t *testing.T) {
	bothWays(t, func(t *testing.T, from, to func(string) Place) {
		a, b := t.TempDir(), t.TempDir()
		write(t, a+"/sub/file", "x", 0o4777)
		then := time.Unix(1_000_000_000, 0)
		must(t, os.Chtimes(a+"/sub/file", then, then))
		must(t, os.Chtimes(a+"/sub", then, then))
		must(t, Copy(t.Context(), []Place{from(a + "/sub")}, to(b), Options{Recursive: true, Preserve: true, Umask: 0o077}))
		for _, name := range []string{"/sub", "/sub/file"} {
			info, err := os.Stat(b + name)
			must(t, err)
			if !info.ModTime().Equal(then) || !info.IsDir() && info.Mode() != 0o777 {
				t.Errorf("%s: %v, %v", name, info.Mode(), info.ModTime())
			}
		}
	})
}

func TestAFileThatIsThereKeepsItsModeAndLosesItsContent(t *testing.T) {
	bothWays(t, func(t *testing.T, from, to func(string) Place) {
		dir := t.TempDir()
		write(t, dir+"/a", "new", 0o644)
		write(t, dir+"/b", "old, and longer", 0o640)
		must(t, os.Symlink("b", dir+"/link"))
		must(t, Copy(t.Context(), []Place{from(dir + "/a")}, to(dir+"/b"), umask))
		must(t, Copy(t.Context(), []Place{from(dir + "/a")}, to(dir+"/link"), umask))
		if got, want := tree(t, dir), "a -rw-r--r-- new\nb -rw-r----- new\nlink -rw-r--r-- new\n"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestWhatCannotBeCopiedIsSaid(t *testing.T) {
	bothWays(t, func(t *testing.T, from, to func(string) Place) {
		a, b := t.TempDir(), t.TempDir()
		write(t, a+"/file", "x", 0o644)
		write(t, a+"/d/e", "x", 0o644)
		for _, c := range []struct {
			from []string
			to   string
			o    Options
			want string
		}{
			{[]string{"/d"}, "", Options{}, "copy it with -r"},
			{[]string{"/file"}, "/nothing/", Options{}, "no such"},
			{[]string{"/file", "/d"}, "/new", umask, "no folder"},
		} {
			var all []Place
			for _, name := range c.from {
				all = append(all, from(a+name))
			}
			err := Copy(t.Context(), all, to(b+c.to), c.o)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v to %s: %v, want %q", c.from, c.to, err, c.want)
			}
		}
		if got := tree(t, b); got != "" {
			t.Errorf("left behind: %s", got)
		}
	})
}

func TestNothingHalfIsLeft(t *testing.T) {
	bothWays(t, func(t *testing.T, from, to func(string) Place) {
		a, b := t.TempDir(), t.TempDir()
		write(t, a+"/file", strings.Repeat("x", 5<<20), 0o644)
		write(t, b+"/file", "old", 0o644)
		ctx, cancel := context.WithCancelCause(t.Context())
		stop := errors.New("stopped")
		err := Copy(ctx, []Place{from(a + "/file")}, to(b), Options{Progress: func(_ string, done, size int64) {
			if done > size/3 {
				cancel(stop)
			}
		}})
		if !errors.Is(err, stop) {
			t.Errorf("error %v", err)
		}
		if got := tree(t, b); got != "file -rw-r--r-- old\n" {
			t.Errorf("left: %.200s", got)
		}
	})
	r, dir := remote(t), t.TempDir()
	torn := errors.New("torn")
	for _, to := range []Place{destination(t, dir+"/x"), On(r, "box", dir+"/x")} {
		err := Put(t.Context(), io.MultiReader(strings.NewReader("some"), iotest.ErrReader(torn)), to, Options{})
		if !errors.Is(err, torn) || tree(t, dir) != "" {
			t.Errorf("%s: %v; left: %s", to.Called, err, tree(t, dir))
		}
	}
}

func TestOneFileAsAStream(t *testing.T) {
	r, dir := remote(t), t.TempDir()
	want := bytes.Repeat([]byte("stream"), 1<<17)
	far := On(r, "box", dir+"/x")
	must(t, Put(t.Context(), bytes.NewReader(want), far, umask))
	var got bytes.Buffer
	must(t, Get(t.Context(), far, &got, umask))
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%d bytes of %d, or others", got.Len(), len(want))
	}
	if err := Get(t.Context(), On(r, "box", dir), io.Discard, umask); err == nil {
		t.Error("a folder as a stream")
	}
}

// What a machine puts in a shared folder does not lead out of it.
func TestLinksLeadNowhereElse(t *testing.T) {
	r := remote(t)
	secret, shared, there := t.TempDir(), t.TempDir(), t.TempDir()
	write(t, secret+"/key", "secret", 0o600)
	must(t, os.Symlink(secret, shared+"/d"))
	must(t, os.Symlink(secret+"/key", shared+"/k"))
	write(t, shared+"/plain", "x", 0o644)

	err := Copy(t.Context(), []Place{source(t, shared)}, On(r, "box", there), umask)
	if err == nil || strings.Contains(tree(t, there), "secret") || !strings.Contains(tree(t, there), "plain") {
		t.Errorf("%v; copied:\n%s", err, tree(t, there))
	}
	write(t, there+"/bad/d/planted", "x", 0o644)
	write(t, there+"/bad/k", "replaced", 0o644)
	err = Copy(t.Context(), []Place{On(r, "box", there+"/bad/.")}, destination(t, shared), umask)
	if err == nil || tree(t, secret) != "key -rw------- secret\n" {
		t.Errorf("%v; outside is now\n%s", err, tree(t, secret))
	}
}

// lying is a machine whose folders hold names that lead elsewhere.
type lying struct{ Remote }

type liar struct{ fs.FileInfo }

func (liar) Name() string { return "../planted" }

func (l lying) ReadDir(name string) (all []fs.FileInfo, err error) {
	entries, err := l.Remote.ReadDir(name)
	for _, e := range entries {
		all = append(all, liar{e})
	}
	return all, err
}

func TestNamesLeadNowhereElse(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	write(t, a+"/sub/file", "x", 0o644)
	must(t, os.Mkdir(b+"/to", 0o755))
	err := Copy(t.Context(), []Place{{lying{remote(t)}, a + "/sub", "box:sub", "sub"}}, destination(t, b+"/to"), umask)
	if err == nil || !strings.Contains(err.Error(), "no file's name") {
		t.Error(err)
	}
	if got := tree(t, b); strings.Contains(got, "planted") {
		t.Errorf("written: %s", got)
	}
}
