package transfer

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

// maxDepth bounds how deep folders are followed: links may make a circle.
const maxDepth = 100

// Options say how to copy.
type Options struct {
	Recursive bool        // folders too
	Preserve  bool        // modes and times as they are
	Umask     fs.FileMode // what new files do not get, unless Preserve
	// Progress, unless nil, is called as a file's bytes are copied. Size is what
	// the source says that it has.
	Progress func(name string, done, size int64)
}

// Copy copies files and folders: into to, if that is a folder, or else to that
// name. Each file appears whole, or not at all. What cannot be copied does not
// keep the rest from it; the error tells all.
func Copy(ctx context.Context, all []Place, to Place, o Options) error {
	info, err := to.FS.Stat(to.Name)
	into := err == nil && info.IsDir()
	switch {
	case into:
	case len(all) > 1:
		return fmt.Errorf("%s is no folder: several files need one to go into", to.Called)
	case strings.HasSuffix(to.Called, "/") && !o.Recursive:
		return fmt.Errorf("%s: there is no such folder: make it first", to.Called)
	}
	c := &copier{ctx: ctx, Options: o}
	var failed []error
	for _, from := range all {
		target := to
		if into {
			target = to.within(from.Base)
		}
		failed = append(failed, c.copy(from, target, 0))
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failed...)
}

// plainName tells a name within a folder from a way out of it.
func plainName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00")
}

type copier struct {
	Options
	ctx context.Context
}

func (c *copier) copy(from, to Place, depth int) error {
	info, err := from.FS.Stat(from.Name)
	switch {
	case c.ctx.Err() != nil:
		return context.Cause(c.ctx)
	case err != nil:
		return named(from.Called, err)
	case depth > maxDepth:
		return fmt.Errorf("%s: folders within folders beyond %d: do links make a circle?", from.Called, maxDepth)
	case info.IsDir() && !c.Recursive:
		return fmt.Errorf("%s is a folder: copy it with -r", from.Called)
	case info.IsDir():
		return c.folder(from, to, info, depth)
	case !info.Mode().IsRegular() && depth > 0:
		return fmt.Errorf("%s: neither file nor folder: passed over", from.Called)
	}
	return c.file(from, to, info)
}

// folder copies a folder's content, and gives the folder its mode at the end: it
// may forbid to write to it.
func (c *copier) folder(from, to Place, info fs.FileInfo, depth int) error {
	entries, err := from.FS.ReadDir(from.Name)
	if err != nil {
		return named(from.Called, err)
	}
	made := false
	if there, err := to.FS.Stat(to.Name); err != nil || !there.IsDir() {
		if err := to.FS.Mkdir(to.Name); err != nil {
			return named(to.Called, err)
		}
		made = true
	}
	var failed []error
	for _, e := range entries {
		if !plainName(e.Name()) {
			failed = append(failed, fmt.Errorf("%s holds %q, which is no file's name: passed over", from.Called, e.Name()))
			continue
		}
		failed = append(failed, c.copy(from.within(e.Name()), to.within(e.Name()), depth+1))
		if c.ctx.Err() != nil {
			break
		}
	}
	if made || c.Preserve {
		failed = append(failed, c.finish(to, info, c.mode(info)))
	}
	return errors.Join(failed...)
}

// mode is what a new file gets. It is never one that makes a program run as
// somebody else.
func (c *copier) mode(info fs.FileInfo) fs.FileMode {
	if c.Preserve {
		return info.Mode().Perm()
	}
	return info.Mode().Perm() &^ c.Umask
}

func (c *copier) finish(p Place, info fs.FileInfo, mode fs.FileMode) error {
	err := p.FS.Chmod(p.Name, mode)
	if err == nil && c.Preserve {
		err = p.FS.Chtimes(p.Name, info.ModTime(), info.ModTime())
	}
	return named(p.Called, err)
}

// file copies a file.
func (c *copier) file(from, to Place, info fs.FileInfo) error {
	r, err := from.FS.Open(from.Name)
	if err != nil {
		return named(from.Called, err)
	}
	defer func() { _ = r.Close() }()
	progress := func(done int64) {
		if c.Progress != nil {
			c.Progress(from.Called, done, info.Size())
		}
	}
	mode := c.mode(info)
	return c.put(to, mode, func(w io.Writer) error {
		return named(from.Called, Stream(c.ctx, w, r, progress))
	}, func(p Place) error {
		if !c.Preserve {
			return nil
		}
		return p.FS.Chtimes(p.Name, info.ModTime(), info.ModTime())
	})
}

// Put makes a file of what comes from r.
func Put(ctx context.Context, r io.Reader, to Place, o Options) error {
	if info, err := to.FS.Stat(to.Name); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder: name the file", to.Called)
	}
	c := &copier{ctx: ctx, Options: o}
	return c.put(to, 0o666&^o.Umask, func(w io.Writer) error {
		return Stream(ctx, w, r, func(done int64) {
			if o.Progress != nil {
				o.Progress(to.Called, done, -1)
			}
		})
	}, func(Place) error { return nil })
}

// put fills a file that has another name until it is whole. One that was there
// keeps its mode, unless modes are to be preserved.
func (c *copier) put(to Place, mode fs.FileMode, fill func(io.Writer) error, finish func(Place) error) error {
	there, err := to.FS.Lstat(to.Name)
	switch {
	case err != nil:
	case there.IsDir():
		return fmt.Errorf("%s is a folder, and what is copied there is none", to.Called)
	case there.Mode().Type()&(fs.ModeDevice|fs.ModeNamedPipe) != 0:
		w, err := to.FS.Write(to.Name)
		return filled(to, w, err, fill)
	case there.Mode().IsRegular() && !c.Preserve:
		mode = there.Mode().Perm()
	}
	hidden := Place{FS: to.FS, Name: path.Join(path.Dir(to.Name), ".snug-"+suffix()), Called: to.Called}
	w, err := to.FS.Create(hidden.Name)
	if err != nil {
		return named(to.Called, err)
	}
	err = filled(to, w, nil, fill)
	if err == nil {
		err = named(to.Called, to.FS.Chmod(hidden.Name, mode))
	}
	if err == nil {
		err = named(to.Called, finish(hidden))
	}
	if err == nil {
		err = named(to.Called, to.FS.Rename(hidden.Name, to.Name))
	}
	if err != nil {
		_ = to.FS.Remove(hidden.Name)
	}
	return err
}

// filled fills a file that was opened, or says why it was not.
func filled(to Place, w File, err error, fill func(io.Writer) error) error {
	if err != nil {
		return named(to.Called, err)
	}
	err = fill(w)
	if cerr := w.Close(); err == nil {
		err = named(to.Called, cerr)
	}
	return err
}

// Get writes a file to w.
func Get(ctx context.Context, from Place, w io.Writer, o Options) error {
	info, err := from.FS.Stat(from.Name)
	if err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder: name a file in it", from.Called)
	}
	if err != nil {
		return named(from.Called, err)
	}
	r, err := from.FS.Open(from.Name)
	if err != nil {
		return named(from.Called, err)
	}
	defer func() { _ = r.Close() }()
	return named(from.Called, Stream(ctx, w, r, func(done int64) {
		if o.Progress != nil {
			o.Progress(from.Called, done, info.Size())
		}
	}))
}

// named says of which file an error is, without the words of the system's that
// say it too.
func named(name string, err error) error {
	if err == nil {
		return nil
	}
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	return fmt.Errorf("%s: %w", name, err)
}

func suffix() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
