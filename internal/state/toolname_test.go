package state

import "testing"

func TestToolNamesAreNamesOfMachines(t *testing.T) {
	for _, c := range []struct{ called, id, want string }{
		{"docker:web", "", "docker:web"},
		{"docker:Web_1", "", "docker:Web_1"},
		{"docker:root@web", "1f3a9c", "docker:root@web+1f3a9c"},
		{"kubectl:pod/box", "", "kubectl:pod-box+x"},
		{"ssh:host", "2", "ssh:host+2"},
		{"docker:0123456789012345678901234567890123456789012345678", "", "docker:012345678901234567890123456789012345678+x"},
	} {
		got := ToolName(c.called, c.id)
		if got != c.want {
			t.Errorf("%s, %q: %s, want %s", c.called, c.id, got, c.want)
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
