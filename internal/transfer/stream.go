package transfer

import (
	"context"
	"io"
)

// underWay is how many requests of a remote file are under way at a time.
const underWay = 64

// remoteFile is a file that copies with many requests under way.
type remoteFile interface {
	io.WriterTo
	ReadFromWithConcurrency(r io.Reader, concurrency int) (int64, error)
}

// Stream copies bytes until their end, or ctx's.
func Stream(ctx context.Context, w io.Writer, r io.Reader, progress func(done int64)) error {
	count := &counter{ctx: ctx, progress: progress}
	if remote, ok := r.(remoteFile); ok {
		_, err := remote.WriteTo(&countedWriter{w, count})
		return err
	}
	if remote, ok := w.(remoteFile); ok {
		_, err := remote.ReadFromWithConcurrency(&countedReader{r, count}, underWay)
		return err
	}
	_, err := io.Copy(&countedWriter{w, count}, struct{ io.Reader }{r})
	return err
}

// counter tells how far a copy is, and ends it. One goroutine counts.
type counter struct {
	ctx      context.Context
	done     int64
	progress func(done int64)
}

func (c *counter) add(n int) error {
	c.done += int64(n)
	c.progress(c.done)
	return context.Cause(c.ctx)
}

type countedWriter struct {
	w io.Writer
	*counter
}

func (c *countedWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	if stop := c.add(n); err == nil {
		err = stop
	}
	return n, err
}

type countedReader struct {
	r io.Reader
	*counter
}

func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if stop := c.add(n); stop != nil {
		err = stop
	}
	return n, err
}
