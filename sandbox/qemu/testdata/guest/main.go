// Guest is the agent of this package's tests: guestinit as process 1, and a link
// that sends back what it gets.
package main

import (
	"io"
	"os"

	"github.com/snugvm/snug/internal/guestinit"
	"github.com/snugvm/snug/internal/vport"
)

func main() {
	if os.Getpid() == 1 {
		guestinit.Run()
	}
	link, err := vport.Open(guestinit.LinkPort)
	if err == nil {
		_, err = io.Copy(link, link)
	}
	_, _ = os.Stderr.WriteString("snug-agent: " + err.Error() + "\n")
	os.Exit(1)
}
