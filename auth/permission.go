package auth

import "onemap/internal/core"

// PermAccounts is to manage accounts, displays and other people's sessions. An administrator keeps the house and does
// not handle alerts.
const PermAccounts core.Permission = "accounts: administrator"
