package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/snugvm/snug/internal/state"
	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"
)

// sshDomain is what every machine's name to ssh ends in. No host of the
// Internet has such a name.
const sshDomain = ".snug"

func (a *app) sshConfigCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "ssh-config [MACHINE...]",
		Short: "Print a configuration for ssh, scp, sftp, rsync, git and editors",
		Long: `Ssh-config prints a configuration by which the stock OpenSSH tools (8.5 or later)
and all that is built on them reach machines, without a port, a key or a
password; the host key is the machine's own, and pinned.

Every machine, also one that starts later, is NAME.snug. Each machine that runs
now, or each that is named, is plain NAME besides, while it runs: as long as no
machine has the name, it is whatever else it was. A colon or a plus sign in the
name of a machine behind a tool is a dash to ssh, since scp, rsync and git take
a colon for the end of a host's name: docker:web is docker-web.snug.

Keep it in a file of its own, which can be written again at any time, and name
that at the top of ~/.ssh/config. What is appended to ~/.ssh/config directly is
yours to remove. Whatever user ssh names, programs run as the machine's. Agent
forwarding is off unless you ask for it (ssh -A).`,
		Example: `  snug ssh-config >~/.ssh/snug.conf     and at the top of ~/.ssh/config: Include snug.conf

  ssh web-1.snug
  scp -r web-1.snug:src/ .
  rsync -a docs/ docker-web.snug:/srv/docs/
  ssh -L 8080:localhost:80 -N web-1.snug`,
		RunE:              func(_ *cobra.Command, args []string) error { return a.sshConfig(args) },
		ValidArgsFunction: a.completeMachine,
	}
}

func (a *app) sshConfig(names []string) error {
	ctx := context.Background()
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find snug itself: %w", err)
	}
	machines, err := a.dirs.Machines(ctx)
	if err != nil {
		return err
	}
	if len(names) > 0 {
		machines = nil
		for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
			m, err := a.dirs.Machine(name)
			if err != nil {
				return err
			}
			machines = append(machines, m)
		}
	}
	_, err = io.WriteString(a.out, sshConfigOf(self, machines))
	return err
}

// sshConfigOf is the configuration. Ssh takes the first value that it finds.
func sshConfigOf(self string, machines []state.Machine) string {
	var b strings.Builder
	b.WriteString("# Machines of snug, as 'snug ssh-config' prints it.\n")
	seen := map[string]string{}
	for _, m := range machines {
		alias := sshAlias(m.Name)
		if other, ok := seen[alias]; ok {
			fmt.Fprintf(&b, "\n# %s would be %s too, as %s is.\n", m.Name, alias, other)
			continue
		}
		seen[alias] = m.Name
		// What is running can be told without a process of snug's: ssh looks
		// each time that it is asked for this name.
		fmt.Fprintf(&b, "\nMatch originalhost %s exec \"test -S %s\"\n", alias, sshWord(m.SSHSocket()))
		block(&b, self, m.Name, m.Name)
	}
	// Quotes within a name could end those around it, where ssh is older than
	// the check that it has for such names.
	fmt.Fprintf(&b, "\nHost *%s \"!*'*\"\n", sshDomain)
	block(&b, self, "%n", "")
	if len(seen) > 0 {
		// Editors offer the names that they find in such a line.
		fmt.Fprintf(&b, "\nHost %s%s\n\tForwardAgent no\n",
			strings.Join(slices.Sorted(maps.Keys(seen)), sshDomain+" "), sshDomain)
	}
	return b.String()
}

// block is what is said of a machine, or of all. Here ssh replaces %n by what
// was typed.
func block(b *strings.Builder, self, name, alias string) {
	fmt.Fprintf(b, "\tProxyCommand %s proxy -- '%s'\n", sshWord(self), name)
	if alias != "" {
		fmt.Fprintf(b, "\tHostKeyAlias %s\n", alias)
	}
	fmt.Fprintf(b, "\tKnownHostsCommand %s proxy --host-key %%H -- '%s'\n", sshWord(self), name)
	b.WriteString("\tUserKnownHostsFile /dev/null\n\tGlobalKnownHostsFile /dev/null\n" +
		"\tStrictHostKeyChecking yes\n\tUpdateHostKeys no\n\tForwardAgent no\n")
}

// sshWord is a word of a command in ssh's configuration, as a shell reads it and
// as ssh does.
func sshWord(path string) string {
	return "'" + strings.NewReplacer("'", `'\''`, "%", "%%").Replace(path) + "'"
}

// sshAlias is a machine's name as scp, rsync and git can have it.
func sshAlias(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(":+@", r) {
			return '-'
		}
		return r
	}, name)
}

// sshMachine finds the machine that ssh means by a name: one that is called so,
// or so without .snug, or has that alias.
func (a *app) sshMachine(ctx context.Context, name string) (state.Machine, error) {
	plain := strings.TrimSuffix(name, sshDomain)
	for _, exact := range []string{name, plain} {
		if m, err := a.living(ctx, exact); err == nil {
			return m, nil
		}
	}
	machines, err := a.dirs.Machines(ctx)
	if err != nil {
		return state.Machine{}, err
	}
	machines = slices.DeleteFunc(machines, func(m state.Machine) bool { return sshAlias(m.Name) != plain })
	switch len(machines) {
	case 0:
		return a.living(ctx, plain) // for its words
	case 1:
		return machines[0], nil
	}
	return state.Machine{}, fmt.Errorf("%s may be %s or %s: 'snug ls' lists them", plain, machines[0].Name, machines[1].Name)
}

// hostKey prints the key of a machine's keeper as a line of a known_hosts file.
func (a *app) hostKey(name, host string) error {
	m, err := a.sshMachine(context.Background(), name)
	if err != nil {
		return err
	}
	var spec machineSpec
	if err := m.ReadConfig(&spec); err != nil {
		return err
	}
	key, err := ssh.NewPublicKey(spec.keeperKey().Public())
	if err != nil {
		return fmt.Errorf("keeper's key: %w", err)
	}
	_, err = fmt.Fprintf(a.out, "%s %s", host, ssh.MarshalAuthorizedKey(key))
	return err
}
