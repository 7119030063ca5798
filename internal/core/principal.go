package core

import (
	"slices"
	"strings"
	"time"

	"onemap/internal/fault"
)

// Principal is who a request, a connection or a command speaks for. Every service takes one, and checks its rights.
type Principal struct {
	AccountID int64     `json:"account_id"`
	SessionID int64     `json:"session_id"`
	Login     string    `json:"user"`
	Name      string    `json:"name"`
	Role      Role      `json:"role"`
	Division  string    `json:"division"`
	Expires   time.Time `json:"expires"` // without further use
	Ends      time.Time `json:"ends"`    // whatever the use; zero: never
	Display   int64     `json:"display"` // id of the display that is logged in; 0: a person is

	operator bool
}

// Operator is who works at the machine itself, with a command: what concerns the whole city is theirs, whichever city
// the database is of. They have an administrator's permissions and no division, so that they see nothing by scope.
func Operator(login string) Principal {
	return Principal{Login: login, Name: login, Role: RoleAdministrator, operator: true}
}

// Scope is what the principal may see.
func (p Principal) Scope() Scope { return Scope{Division: p.Division, Role: p.Role} }

// May reports whether the principal has the permission.
func (p Principal) May(do Permission) bool { return do.Of(p.Role) }

// Need returns fault.Forbidden when the principal does not have the permission.
func (p Principal) Need(do Permission) error {
	if !p.May(do) {
		return fault.NewCoded(fault.Forbidden, "", CodeRoleMayNot, fault.TokenOf(p.Role), fault.TokenOf(do.Name()))
	}
	return nil
}

// NeedCity refuses what concerns the whole city to a principal of a part of it, with fault.Forbidden.
func (p Principal) NeedCity() error {
	if !p.operator && !p.Scope().Covers("") {
		return fault.NewCoded(fault.Forbidden, "", CodeCityWideOnly, p.Division)
	}
	return nil
}

// Permission is something that a principal may do or not: "name: roles", the roles that may, with spaces between them.
// Each domain declares its own as constants, with the roles that need it for their work.
type Permission string

// The permissions that belong to no domain.
const (
	// PermView is to see the map, devices and alerts of the own scope.
	PermView Permission = "view: city_commander county_responder data_steward observer administrator display display_acknowledge"
	// PermEditData is to change layers and devices, and to look into the quarantine.
	PermEditData Permission = "edit-data: data_steward administrator"
)

// Name is the permission's name, as the API has it.
func (p Permission) Name() string {
	name, _, _ := strings.Cut(string(p), ":")
	return name
}

// Of reports whether the role has the permission.
func (p Permission) Of(r Role) bool {
	_, roles, _ := strings.Cut(string(p), ":")
	return r != "" && slices.Contains(strings.Fields(roles), string(r))
}

// MarshalText writes the name.
func (p Permission) MarshalText() ([]byte, error) { return []byte(p.Name()), nil }
