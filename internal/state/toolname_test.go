package state

import "testing"

func TestToolNamesAreNamesOfMachines(t *testing.T) {
	for _, c := range []struct {
		called string
		plain  bool
		want   string
	}{
		{"docker:web", true, "docker:web"},
		{"docker:Web_1", true, "docker:Web_1"},
		{"docker:root@web", false, "docker:root@web+1f3a9c"},
		{"kubectl:pod/box", true, "kubectl:pod-box+1f3a9c"},
		{"chroot:/srv/box", true, "chroot:srv-box+1f3a9c"},
		{"nsenter", true, "nsenter:+1f3a9c"},
		{"docker:0123456789012345678901234567890123456789012345678", true, "docker:0123456789012345678901234567890123+1f3a9c"},
	} {
		got := ToolName(c.called, "1f3a9c", c.plain)
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.called, got, c.want)
		}
		if _, err := (Dirs{Runtime: "/run/user/1000/snug"}).Machine(got); err != nil {
			t.Errorf("%s: %v", got, err)
		}
		if CheckName(got) == nil {
			t.Errorf("a user can take the name %s", got)
		}
	}
	for _, bad := range []string{":", "a:", ":a", "a:b/c", "a/b:c", "..:a"} {
		if checkToolName(bad) {
			t.Errorf("%q is taken for a machine's name", bad)
		}
	}
}
