package auth

import "onemap/internal/core"

// PermAccounts is the permission to manage accounts, displays and other people's sessions. An administrator manages the
// system and does not handle alerts.
const PermAccounts core.Permission = "accounts: administrator"
