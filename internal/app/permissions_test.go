package app

import (
	"slices"
	"strings"
	"testing"

	"onemap/internal/core"
)

// Each role has exactly the permissions listed here, and an unknown role has none.
func TestWhatRolesMay(t *testing.T) {
	want := map[core.Role]string{
		core.RoleCommander:     "view acknowledge handle-alert edit-rules",
		core.RoleResponder:     "view acknowledge handle-alert",
		core.RoleSteward:       "view edit-data edit-rules",
		core.RoleObserver:      "view",
		core.RoleDisplay:       "view",
		core.RoleDisplayAck:    "view acknowledge",
		core.RoleAdministrator: "view edit-data edit-rules accounts",
		"nobody":               "",
		"":                     "",
	}
	for role, list := range want {
		for _, p := range permissions() {
			expected := slices.Contains(strings.Fields(list), p.Name())
			if p.Of(role) != expected || (core.Principal{Role: role}).May(p) != expected {
				t.Errorf("the role %q has the permission %s: %v, want %v", role, p.Name(), p.Of(role), expected)
			}
		}
	}
}
