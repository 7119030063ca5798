package storetest

import (
	"onemap/alerts"
	"onemap/catalogue"
	"onemap/internal/app/stores"
	"onemap/internal/core"
	"onemap/sensors"
)

// Root returns the administrator of the tests' city.
func Root() core.Principal {
	return core.Principal{Login: "test", Name: "test", Role: core.RoleAdministrator, Division: "3706"}
}

// Person returns a principal with the scope.
func Person(s core.Scope, login string) core.Principal {
	return core.Principal{Login: login, Name: login, Role: s.Role, Division: s.Division}
}

// Editor returns a principal of the scope's division that may edit data. If the role of the scope may not, it uses the
// steward's role.
func Editor(s core.Scope, login string) core.Principal {
	p := Person(s, login)
	if !p.May(core.PermEditData) {
		p.Role = core.RoleSteward
	}
	return p
}

// Catalogue returns the service of the catalogue on a database.
func Catalogue(db *stores.Stores) *catalogue.Service { return catalogue.NewService(db.Catalogue, nil) }

// Devices returns the service of devices on a database.
func Devices(db *stores.Stores) *sensors.Devices {
	return sensors.NewDevices(db.Sensors, db.Sensors, db.Sensors, nil)
}

// Rules returns the service of rules on a database.
func Rules(db *stores.Stores) *alerts.Rules { return alerts.NewRules(db.Alerts, db.Sensors) }
