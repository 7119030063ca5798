package storetest

import (
	"onemap/alerts"
	"onemap/catalogue"
	"onemap/internal/app/stores"
	"onemap/internal/core"
	"onemap/sensors"
)

// Root is the administrator of the tests' city.
func Root() core.Principal {
	return core.Principal{Login: "test", Name: "test", Role: core.RoleAdministrator, Division: "3706"}
}

// Person is a principal of a scope.
func Person(s core.Scope, login string) core.Principal {
	return core.Principal{Login: login, Name: login, Role: s.Role, Division: s.Division}
}

// Editor is a principal of a scope's division who may edit data, whatever the scope's role.
func Editor(s core.Scope, login string) core.Principal {
	p := Person(s, login)
	if !p.May(core.PermEditData) {
		p.Role = core.RoleSteward
	}
	return p
}

// Catalogue is the service of the catalogue over a database.
func Catalogue(db *stores.Stores) *catalogue.Service { return catalogue.NewService(db.Catalogue, nil) }

// Devices is the service of devices over a database.
func Devices(db *stores.Stores) *sensors.Devices {
	return sensors.NewDevices(db.Sensors, db.Sensors, db.Sensors, nil)
}

// Rules is the service of rules over a database.
func Rules(db *stores.Stores) *alerts.Rules { return alerts.NewRules(db.Alerts, db.Sensors) }
