package auth

import (
	"context"
	"time"

	"onemap/internal/core"
	"onemap/internal/fault"
)

// FailedLogin is what is listed of attempts that failed: those that are alike within a minute are one.
type FailedLogin struct {
	ID       int64         `json:"id"`
	At       time.Time     `json:"at"`       // of the latest
	User     string        `json:"user"`     // empty: what was typed can be no user name, and is not kept
	Known    bool          `json:"known"`    // there is such an account
	Division string        `json:"division"` // of the account; empty when there is none
	Remote   string        `json:"remote"`
	Reason   FailureReason `json:"reason"`
	Attempts int64         `json:"attempts"` // how many
}

// FailedLoginFilter narrows the list; what is empty does not. Scope and Page are the service's.
type FailedLoginFilter struct {
	Scope  core.Scope
	Page   core.Page
	User   string // part of the user name
	Remote string // the address's beginning
	Reason FailureReason
	Known  *bool
}

// FailedLogins lists failed logins, the newest first: those of accounts of the actor's scope, and for the city those of
// names that no account has. Without PermAccounts it is fault.Forbidden.
func (v *Service) FailedLogins(ctx context.Context, actor core.Principal, f FailedLoginFilter) ([]FailedLogin, error) {
	if err := actor.Need(PermAccounts); err != nil {
		return nil, err
	}
	f.Scope = actor.Scope()
	all, err := v.store.FailedLogins(ctx, f)
	return all, fault.Wrap(fault.KindOf(err), err, "the failed logins cannot be read now")
}
