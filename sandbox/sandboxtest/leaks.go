package sandboxtest

import "go.uber.org/goleak"

// Stranded allows for the goroutine in which x/crypto/ssh waits for ever, now and
// then, for the answer to who opened a channel just while its connection ended.
// Nobody of ours waits for it: see wire's connection.
func Stranded() goleak.Option {
	return goleak.IgnoreAnyFunction("golang.org/x/crypto/ssh.(*mux).openChannel")
}
