package auth

import (
	"context"
	"slices"

	"onemap/internal/core"
)

// Permissions lists every permission.
func Permissions() []Permission {
	return []Permission{PermView, PermAcknowledge, PermHandleAlert, PermEditData, PermEditRules, PermAccounts}
}

// PermissionsOf is what a role may do, in the order of Permissions; nothing for an unknown role.
// An administrator keeps the house and does not handle alerts.
func PermissionsOf(r core.Role) []Permission {
	switch r {
	case core.RoleCommander:
		return []Permission{PermView, PermAcknowledge, PermHandleAlert, PermEditRules}
	case core.RoleResponder:
		return []Permission{PermView, PermAcknowledge, PermHandleAlert}
	case core.RoleSteward:
		return []Permission{PermView, PermEditData, PermEditRules}
	case core.RoleDisplayAck:
		return []Permission{PermView, PermAcknowledge}
	case core.RoleObserver, core.RoleDisplay:
		return []Permission{PermView}
	case core.RoleAdministrator:
		return []Permission{PermView, PermEditData, PermEditRules, PermAccounts}
	default:
		return nil
	}
}

// Can reports whether the role has the permission.
func Can(r core.Role, p Permission) bool { return slices.Contains(PermissionsOf(r), p) }

type principalKey struct{}

// NewContext returns a context that speaks for p.
func NewContext(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// FromContext is whom the context speaks for; ok is false when nobody has been authenticated.
func FromContext(ctx context.Context) (p Principal, ok bool) {
	p, ok = ctx.Value(principalKey{}).(Principal)
	return p, ok
}
