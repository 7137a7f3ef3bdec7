package cli

import (
	"testing"

	"github.com/snugvm/snug/internal/state"
)

func TestTheLongestMachineNameIsMeant(t *testing.T) {
	machines := []state.Machine{{Name: "web"}, {Name: "docker:web"}, {Name: "docker:web:2"}, {Name: "docker:web+66c16f"}}
	for arg, want := range map[string][2]string{
		"web:/x":                  {"web", "/x"},
		"web:":                    {"web", ""},
		"docker:web:/x":           {"docker:web", "/x"},
		"docker:web:2:/x":         {"docker:web:2", "/x"},
		"docker:web:3":            {"docker:web", "3"},
		"docker:web+66c16f:a:b":   {"docker:web+66c16f", "a:b"},
		"plain":                   {"", "plain"},
		"./web:/x":                {"", "./web:/x"},
		"/tmp/web:/x":             {"", "/tmp/web:/x"},
		"folder/docker:web:/file": {"", "folder/docker:web:/file"},
		"-":                       {"", "-"},
	} {
		got, err := sideOf(arg, machines)
		if err != nil || got.name() != want[0] || got.path != want[1] {
			t.Errorf("%s is %q on %q, %v; want %q", arg, got.path, got.name(), err, want)
		}
	}
	for _, arg := range []string{"docker:db:/x", "nobody:/x", "web:~/x", "web:~"} {
		if got, err := sideOf(arg, machines); err == nil {
			t.Errorf("%s is %+v", arg, got)
		}
	}
}
