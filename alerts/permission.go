package alerts

import "onemap/internal/core"

// The permissions of alerts.
const (
	// PermAcknowledge is to acknowledge alerts.
	PermAcknowledge core.Permission = "acknowledge: city_commander county_responder display_acknowledge"
	// PermHandle is to assign, resolve and close them as well.
	PermHandle core.Permission = "handle-alert: city_commander county_responder"
	// PermEditRules is to change the rules.
	PermEditRules core.Permission = "edit-rules: city_commander data_steward administrator"
)
