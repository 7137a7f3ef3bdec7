package qemu

import (
	"strings"
	"testing"
)

func whole() Config {
	return Config{Dir: "/run/m", Binary: "qemu", Accel: TCG, Kernel: "/k", Initrd: "/i", MemoryMiB: 512, CPUs: 2, TSCKHz: 2500000,
		Shares: []Share{{Tag: "share0", Path: "/usr", ReadOnly: true}, {Tag: "share1", Path: "/home/a/x,y"}}}
}

func TestArgs(t *testing.T) {
	const tcg = `-nodefaults -no-user-config -nographic
-no-reboot
-M microvm,rtc=on
-accel tcg
-cpu max
-m 512M
-smp 2
-global virtio-mmio.force-legacy=false
-kernel /k
-initrd /i
-append console=ttyS0 quiet panic=-1 reboot=t random.trust_cpu=on tsc_early_khz=2500000 tsc=reliable
-chardev socket,id=qmp,path=/run/m/qmp.sock,server=on,wait=off
-mon chardev=qmp,mode=control
-chardev socket,id=link,path=/run/m/link.sock,server=on,wait=off
-chardev socket,id=console,path=/run/m/console.sock,server=on,wait=off
-serial chardev:console
-device virtio-serial-device,max_ports=2
-device virtserialport,chardev=link,name=link
-device virtio-rng-device
-fsdev local,id=fs0,path=/usr,security_model=none,multidevs=remap,readonly=on
-device virtio-9p-device,fsdev=fs0,mount_tag=share0
-fsdev local,id=fs1,path=/home/a/x,,y,security_model=none,multidevs=remap
-device virtio-9p-device,fsdev=fs1,mount_tag=share1`
	for _, test := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"software emulation", func(*Config) {}, tcg},
		{"kvm needs no clock frequency", func(c *Config) { c.Accel, c.TSCKHz = KVM, 0 },
			strings.NewReplacer("accel tcg", "accel kvm", "cpu max", "cpu host", " tsc_early_khz=2500000 tsc=reliable", "").Replace(tcg)},
		{"root drops", func(c *Config) { c.RunAs = &RunAs{1000, 100} }, tcg + "\n-runas 1000:100"},
		{"more words for the kernel", func(c *Config) { c.Append = []string{"a", "b=c"} },
			strings.Replace(tcg, "tsc=reliable", "tsc=reliable a b=c", 1)},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := whole()
			test.change(&c)
			if err := c.Validate(); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(Args(c), " "); got != strings.ReplaceAll(test.want, "\n", " ") {
				t.Errorf("args:\n%s\nwant:\n%s", got, test.want)
			}
		})
	}
}

func TestValidateNamesTheRemedy(t *testing.T) {
	for _, test := range []struct {
		want   string
		change func(*Config)
	}{
		{"incomplete", func(c *Config) { c.Kernel = "" }},
		{"use kvm, hvf or tcg", func(c *Config) { c.Accel = "xen" }},
		{"time stamp counter", func(c *Config) { c.TSCKHz = 0 }},
		{"at least 128 MiB", func(c *Config) { c.MemoryMiB = 1 }},
		{"use 1 to 64", func(c *Config) { c.CPUs = 0 }},
		{"can share 21", func(c *Config) { c.Shares = make([]Share, 22) }},
		{"never shared", func(c *Config) { c.Shares[0].Path = "/" }},
		{"not absolute and clean", func(c *Config) { c.Shares[0].Path = "/usr/../" }},
		{"not absolute and clean", func(c *Config) { c.Shares[0].Path = "usr" }},
		{"is no tag", func(c *Config) { c.Shares[0].Tag = "a,b" }},
		{"is taken", func(c *Config) { c.Shares[0].Tag = c.Shares[1].Tag }},
	} {
		c := whole()
		test.change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Validate = %v, want %q", err, test.want)
		}
	}
}

func TestGuestCauseIsOneSafeLine(t *testing.T) {
	for _, test := range []struct{ console, want string }{
		{"", ""},
		{"a\r\nb\r\n", "b"},
		{"snug: the agent ended: exit status 1\r\nreboot: machine restart\r\n", "snug: the agent ended: exit status 1"},
		{"snug: starting\n[ 1.0] Kernel panic - not syncing: VFS\n[ 1.1] CPU: 0\n---[ end Kernel panic - not syncing: VFS ]---\n",
			"kernel panic - not syncing: VFS"},
		{"\x1b]52;c;aGk=\x07\x1b[2Jboo\n", "]52;c;aGk=  [2Jboo"},
		{"bad \xff\n", "bad ?"},
		{strings.Repeat("x", 1000), strings.Repeat("x", causeLine) + "…"},
	} {
		if got := guestCause(test.console); got != test.want {
			t.Errorf("guestCause(%q) = %q, want %q", test.console, got, test.want)
		}
	}
}

func TestConsoleKeepsItsTailAndTellsTheFirstLine(t *testing.T) {
	c := newConsole()
	_, _ = c.Write([]byte("\r\n  "))
	_, _ = c.Write([]byte(strings.Repeat("x", 2*consoleKept)))
	if got := len(c.text()); got != consoleKept {
		t.Errorf("%d bytes kept, want %d", got, consoleKept)
	}
	_, _ = c.Write([]byte("end\n"))
	if !strings.HasSuffix(c.text(), "xend\n") {
		t.Error("the last words are not kept")
	}
	<-c.first
}

func TestParseVersion(t *testing.T) {
	for output, want := range map[string]Version{
		"QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)\nCopyright": {7, 2, 22},
		"QEMU emulator version 10.0.50 (v10.0.0-1-gdead)":               {10, 0, 50},
		"QEMU emulator version 8.1":                                     {8, 1, 0},
	} {
		if got, err := parseVersion(output); err != nil || got != want {
			t.Errorf("parseVersion(%q) = %v, %v; want %v", output, got, err, want)
		}
	}
	if _, err := parseVersion("no such thing"); err == nil {
		t.Error("an answer without version was taken")
	}
	if !(Version{6, 9, 0}).older(Least) || (Version{10, 0, 0}).older(Least) {
		t.Error("versions are compared wrongly")
	}
}
