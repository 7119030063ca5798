package app

import (
	"onemap/alerts"
	"onemap/auth"
	"onemap/internal/core"
)

// permissions returns the permissions of all domains, in the order of the API.
func permissions() []core.Permission {
	return []core.Permission{core.PermView, alerts.PermAcknowledge, alerts.PermHandle, core.PermEditData, alerts.PermEditRules, auth.PermAccounts}
}
