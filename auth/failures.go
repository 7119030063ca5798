package auth

import (
	"context"
	"time"

	"onemap/internal/core"
	"onemap/internal/fault"
)

// FailedLogin is one row of the list of failed logins. Equal attempts within one minute share a row.
type FailedLogin struct {
	ID       int64         `json:"id"`
	At       time.Time     `json:"at"`       // time of the latest attempt
	User     string        `json:"user"`     // empty: the typed text cannot be a user name and is not kept
	Known    bool          `json:"known"`    // the account exists
	Division string        `json:"division"` // of the account; empty when there is none
	Remote   string        `json:"remote"`
	Reason   FailureReason `json:"reason"`
	Attempts int64         `json:"attempts"` // number of attempts in the row
}

// FailedLoginFilter selects failed logins. An empty field does not restrict the list. The service sets Scope.
type FailedLoginFilter struct {
	Scope  core.Scope
	Page   core.Page
	User   string // part of the user name
	Remote string // prefix of the address
	Reason FailureReason
	Known  *bool
}

// FailedLogins returns failed logins, newest first: those of accounts in the actor's scope and, for a city-wide scope,
// those of unknown user names. It returns fault.Forbidden if the actor lacks PermAccounts.
func (v *Service) FailedLogins(ctx context.Context, actor core.Principal, f FailedLoginFilter) ([]FailedLogin, error) {
	if err := actor.Need(PermAccounts); err != nil {
		return nil, err
	}
	f.Scope = actor.Scope()
	all, err := v.store.FailedLogins(ctx, f)
	return all, fault.Wrap(fault.KindOf(err), err, "the failed logins cannot be read now")
}
