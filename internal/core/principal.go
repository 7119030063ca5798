package core

import (
	"slices"
	"strings"
	"time"

	"onemap/internal/fault"
)

// Principal is the account for which a request, a connection or a command acts. Every service method takes a principal and
// checks its permissions.
type Principal struct {
	AccountID int64     `json:"account_id"`
	SessionID int64     `json:"session_id"`
	Login     string    `json:"user"`
	Name      string    `json:"name"`
	Role      Role      `json:"role"`
	Division  string    `json:"division"`
	Expires   time.Time `json:"expires"` // end of the session without further use
	Ends      time.Time `json:"ends"`    // end of the session in any case; zero: never
	Display   int64     `json:"display"` // id of the display; 0: the principal is a person

	operator bool
}

// Operator returns the principal of a person who runs a command on the machine itself. Its permissions are an
// administrator's. It may do what concerns the whole city, in any database. It has no division, so it sees nothing by scope.
func Operator(login string) Principal {
	return Principal{Login: login, Name: login, Role: RoleAdministrator, operator: true}
}

// Scope returns what the principal may see.
func (p Principal) Scope() Scope { return Scope{Division: p.Division, Role: p.Role} }

// May reports whether the principal has the permission.
func (p Principal) May(do Permission) bool { return do.Of(p.Role) }

// Need returns fault.Forbidden if the principal does not have the permission.
func (p Principal) Need(do Permission) error {
	if !p.May(do) {
		return fault.NewCoded(fault.Forbidden, "", CodeRoleMayNot, fault.TokenOf(p.Role), fault.TokenOf(do.Name()))
	}
	return nil
}

// NeedCity returns fault.Forbidden if the principal's division is only a part of the city.
func (p Principal) NeedCity() error {
	if !p.operator && !p.Scope().Covers("") {
		return fault.NewCoded(fault.Forbidden, "", CodeCityWideOnly, p.Division)
	}
	return nil
}

// Permission is a permission with the roles that have it: "name: role role …". Each domain declares its own permissions as
// constants, with the roles that need them for their work.
type Permission string

// The permissions that belong to no domain.
const (
	// PermView permits to see the map, devices and alerts of the own scope.
	PermView Permission = "view: city_commander county_responder data_steward observer administrator display display_acknowledge"
	// PermEditData permits to change layers and devices, and to read the quarantine.
	PermEditData Permission = "edit-data: data_steward administrator"
)

// Name returns the name of the permission in the API.
func (p Permission) Name() string {
	name, _, _ := strings.Cut(string(p), ":")
	return name
}

// Of reports whether the role has the permission.
func (p Permission) Of(r Role) bool {
	_, roles, _ := strings.Cut(string(p), ":")
	return r != "" && slices.Contains(strings.Fields(roles), string(r))
}

// MarshalText implements encoding.TextMarshaler. It returns the name.
func (p Permission) MarshalText() ([]byte, error) { return []byte(p.Name()), nil }
