package cli

import (
	"io"
	"sync"
	"time"

	"github.com/snugvm/snug/bridge"
	"github.com/snugvm/snug/terminal"
)

// forKeeper is what most commands wait for.
const forKeeper = "waiting for the machine's keeper"

// waiting tells the person at the terminal what a command waits for, once that
// has lasted a second, and for how long. It goes on until done is called, which
// leaves nothing of it.
func (a *app) waiting(what string) (done func()) {
	return waiting(a.err, terminal.IsTerminal(a.err), what)
}

// waiting is (*app).waiting for one whose output may end on a terminal by way of
// another process.
func waiting(out io.Writer, onTerminal bool, what string) (done func()) {
	if !onTerminal {
		return func() {}
	}
	line := bridge.NewProgressLine(out)
	over := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		seconds := time.NewTicker(time.Second) // for the eye only
		defer seconds.Stop()
		for {
			select {
			case <-seconds.C:
				line.Show(what)
			case <-over:
				line.Clear()
				return
			}
		}
	})
	return func() {
		close(over)
		wg.Wait()
	}
}
