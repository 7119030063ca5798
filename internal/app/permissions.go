package app

import (
	"onemap/alerts"
	"onemap/auth"
	"onemap/internal/core"
)

// permissions lists every domain's permissions, in the order in which the API names them.
func permissions() []core.Permission {
	return []core.Permission{core.PermView, alerts.PermAcknowledge, alerts.PermHandle, core.PermEditData, alerts.PermEditRules, auth.PermAccounts}
}
