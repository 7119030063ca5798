package auth

import (
	"context"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"onemap/geo"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/text"
)

// MaxName is the longest name, in characters.
const MaxName = 100

// NewAccount holds the fields of an account to create.
type NewAccount struct {
	Login    string
	Name     string
	Role     core.Role
	Division string
	Password string
}

// AccountChange holds the fields of an account to change. A nil field stays as it is.
type AccountChange struct {
	Name     *string
	Role     *core.Role
	Division *string
	Disabled *bool
	Password *string
}

// Accounts returns the accounts of the actor's scope. It returns fault.Forbidden if the actor lacks PermAccounts.
func (v *Service) Accounts(ctx context.Context, actor core.Principal) ([]Account, error) {
	if err := actor.Need(PermAccounts); err != nil {
		return nil, err
	}
	all, err := v.accounts.Accounts(ctx)
	if err != nil {
		return nil, fault.Wrap(fault.KindOf(err), err, "the accounts cannot be read now")
	}
	return slices.DeleteFunc(all, func(a Account) bool { return !actor.Scope().Covers(a.Division) }), nil
}

// CreateAccount creates an account in the actor's scope. It returns fault.Invalid with the field if a field is not
// valid, and fault.Conflict if the login is taken.
func (v *Service) CreateAccount(ctx context.Context, actor core.Principal, n NewAccount) (Account, error) {
	if err := actor.Need(PermAccounts); err != nil {
		return Account{}, err
	}
	a := Account{Login: n.Login, Name: strings.TrimSpace(n.Name), Role: n.Role, Division: n.Division, CreatedAt: v.now()}
	a, err := checkAccount(actor, a)
	if err != nil {
		return Account{}, err
	}
	if err := checkPassword("password", a.Login, n.Password); err != nil {
		return Account{}, err
	}
	hash, err := v.hash(ctx, actor.Login, n.Password)
	if err != nil {
		return Account{}, waited(err)
	}
	return v.accounts.CreateAccount(ctx, a, hash, actor.Login)
}

// UpdateAccount changes an account of the actor's scope. ifVersion is the version that the actor has read. The
// account's sessions end if its role, division, password or state changes.
func (v *Service) UpdateAccount(ctx context.Context, actor core.Principal, login string, c AccountChange, ifVersion int64) (Account, error) {
	known, err := v.managed(ctx, actor, login)
	if err != nil {
		return Account{}, err
	}
	a, err := checkAccount(actor, c.apply(known))
	if err != nil {
		return Account{}, err
	}
	if a.ID == actor.AccountID && (a.Disabled || a.Role != known.Role || a.Division != known.Division) {
		return Account{}, fault.NewCoded(fault.Conflict, "", CodeOwnAccess)
	}
	hash := ""
	if c.Password != nil {
		if err := checkPassword("password", a.Login, *c.Password); err != nil {
			return Account{}, err
		}
		if hash, err = v.hash(ctx, actor.Login, *c.Password); err != nil {
			return Account{}, waited(err)
		}
	}
	changed, err := v.accounts.UpdateAccount(ctx, a, hash, ifVersion, actor.Login)
	if err != nil {
		return Account{}, err
	}
	v.ForgetAccount(changed.ID)
	if c.Password != nil {
		v.unlock(ctx, changed.Login)
	}
	return changed, nil
}

// managed returns the account of a login that the actor may manage. It returns fault.NotFound if the account does not
// exist, and also if it is outside the actor's scope, so that the actor cannot find out whether it exists.
func (v *Service) managed(ctx context.Context, actor core.Principal, login string) (Account, error) {
	if err := actor.Need(PermAccounts); err != nil {
		return Account{}, err
	}
	known, err := v.store.CredentialsByLogin(ctx, login)
	if fault.Is(err, fault.NotFound) || (err == nil && (known.Display != 0 || !actor.Scope().Covers(known.Division))) {
		return Account{}, fault.New(fault.NotFound, "there is no account %q", login)
	}
	if err != nil {
		return Account{}, fault.Wrap(fault.KindOf(err), err, "the account cannot be read now")
	}
	return known.Account, nil
}

// unlock resets the failed logins of an account that has a new password, for all callers.
func (v *Service) unlock(ctx context.Context, login string) {
	v.throttle.clear(accountKey(login)) // the other counts are reset when the next attempt reads the store
	if err := v.store.ForgetFailures(ctx, accountKey(login)); err != nil {
		v.log.WarnContext(ctx, "the failed logins of an account still count", slog.String("user", login), slog.Any("error", err))
	}
}

func (c AccountChange) apply(a Account) Account {
	if c.Name != nil {
		a.Name = strings.TrimSpace(*c.Name)
	}
	if c.Role != nil {
		a.Role = *c.Role
	}
	if c.Division != nil {
		a.Division = *c.Division
	}
	if c.Disabled != nil {
		a.Disabled = *c.Disabled
	}
	return a
}

// Sessions returns the sessions of a login, newest first. An empty login means the actor. The sessions of other people
// require PermAccounts.
func (v *Service) Sessions(ctx context.Context, actor core.Principal, login string, p core.Page) ([]Session, error) {
	if login == "" || login == actor.Login {
		return v.accounts.Sessions(ctx, actor.AccountID, p)
	}
	known, err := v.managed(ctx, actor, login)
	if err != nil {
		return nil, err
	}
	return v.accounts.Sessions(ctx, known.ID, p)
}

// RevokeSession ends one of the actor's own sessions or, with PermAccounts, a session of a person in the scope. It
// returns fault.NotFound if the session does not exist or the actor may not end it. It is no error if the session has
// already ended.
func (v *Service) RevokeSession(ctx context.Context, actor core.Principal, id int64) error {
	_, owner, err := v.store.SessionByID(ctx, id)
	if fault.Is(err, fault.NotFound) || (err == nil && !mayEndSession(actor, owner)) {
		return fault.New(fault.NotFound, "there is no session %d", id)
	}
	if err != nil {
		return fault.Wrap(fault.KindOf(err), err, "the session cannot be read now")
	}
	if err := v.store.RevokeSessions(ctx, owner.ID, id, actor.Login); err != nil {
		return fault.Wrap(fault.KindOf(err), err, "the session cannot be ended now")
	}
	v.Forget(id)
	return nil
}

// mayEndSession reports whether the actor may end a session of the owner. A display's session cannot be ended here; it
// ends when the display is revoked.
func mayEndSession(actor core.Principal, owner Account) bool {
	return owner.ID == actor.AccountID || (actor.May(PermAccounts) && owner.Display == 0 && actor.Scope().Covers(owner.Division))
}

var loginPattern = regexp.MustCompile(`^[a-z0-9._-]{2,64}$`)

// checkAccount validates an account in the scope of the actor and returns it with its division in the stored form.
func checkAccount(actor core.Principal, a Account) (Account, error) {
	division, err := geo.ParseDivision(a.Division)
	if err != nil {
		return a, err
	}
	a.Division = division
	return a, checkMember(actor, a)
}

func checkMember(actor core.Principal, a Account) error {
	switch {
	case !loginPattern.MatchString(a.Login):
		return fault.InvalidCode("user", CodeLoginShape)
	case a.Name == "":
		return fault.InvalidCode("name", fault.CodeNotEmpty)
	case utf8.RuneCountInString(a.Name) > MaxName || !utf8.ValidString(a.Name) || strings.ContainsFunc(a.Name, unicode.IsControl):
		return fault.InvalidCode("name", fault.CodeNameLine, MaxName)
	case !a.Role.Valid():
		return fault.InvalidCode("role", CodeNoRole, text.Prefix(string(a.Role), 40))
	case a.Role == core.RoleResponder && len(a.Division) != 6:
		return fault.InvalidCode("division", CodeResponderDivision)
	case a.Role == core.RoleCommander && len(a.Division) > 4:
		return fault.InvalidCode("division", CodeCommanderDivision)
	case !actor.Scope().Covers(a.Division):
		return fault.NewCoded(fault.Forbidden, "division", core.CodeDivisionOutside, a.Division, actor.Division)
	}
	return nil
}
