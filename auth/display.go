package auth

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"onemap/geo"
	"onemap/internal/core"
	"onemap/internal/fault"
)

// DisplayMode defines what a display may do.
type DisplayMode string

// The modes of a display.
const (
	DisplayReads        DisplayMode = "read"        // sees the map and the alerts of its division
	DisplayAcknowledges DisplayMode = "acknowledge" // also acknowledges the alerts
)

// DisplayStart is the page that a display opens.
type DisplayStart string

// The pages that displays open.
const (
	StartWall  DisplayStart = "wall"
	StartPhone DisplayStart = "phone"
)

// Display is a wall screen or a duty phone that is logged in without a person. A link can be used once and logs in one
// device. This login lasts until it is revoked.
type Display struct {
	ID          int64        `json:"id"`
	Name        string       `json:"name"`
	Division    string       `json:"division"`
	Mode        DisplayMode  `json:"mode"`
	Start       DisplayStart `json:"start"`
	CreatedAt   time.Time    `json:"created_at"`
	CreatedBy   string       `json:"created_by"`
	LinkExpires *time.Time   `json:"link_expires"` // expiry of the unused link; null: there is no unused link
	ClaimedAt   *time.Time   `json:"claimed_at"`   // when a device last used a link; null: never
	LastSeen    *time.Time   `json:"last_seen"`    // of the device, to the minute
	Connected   bool         `json:"connected"`    // the device is connected to the push now
	Agent       string       `json:"agent"`        // the device's browser
	Remote      string       `json:"remote"`       // the address that the device logged in from
	RevokedAt   *time.Time   `json:"revoked_at"`
	RevokedBy   string       `json:"revoked_by"`
	AccountID   int64        `json:"-"`
}

// Role returns the role of the display's account.
func (d Display) Role() core.Role {
	if d.Mode == DisplayAcknowledges {
		return core.RoleDisplayAck
	}
	return core.RoleDisplay
}

// NewDisplay holds the fields of a display to create.
type NewDisplay struct {
	Name     string
	Division string
	Mode     DisplayMode
	Start    DisplayStart
}

// DisplayStore stores displays. It receives only the SHA-256 of link tokens, never the tokens.
type DisplayStore interface {
	Displays(ctx context.Context, s core.Scope, p core.Page) ([]Display, error) // newest first
	// DisplayByID returns a display; it returns fault.NotFound if it does not exist.
	DisplayByID(ctx context.Context, id int64) (Display, error)
	// CreateDisplay stores a display with its account; it returns fault.Conflict if a display in use has the name.
	CreateDisplay(ctx context.Context, d Display, linkSHA256 []byte, actor string) (Display, error)
	// RenewLink replaces the link of a display; it returns fault.NotFound if the display does not exist or is revoked.
	RenewLink(ctx context.Context, id int64, linkSHA256 []byte, expires time.Time, actor string) (Display, error)
	// DisplayByLink returns the display of an unused link; it returns fault.NotFound if the link is unknown, used or
	// expired.
	DisplayByLink(ctx context.Context, linkSHA256 []byte, now time.Time) (Display, error)
	// ClaimLink marks the link as used, ends the sessions of the display's previous device and stores the session of the
	// new one. It returns fault.NotFound as DisplayByLink does.
	ClaimLink(ctx context.Context, linkSHA256 []byte, s Session, tokenSHA256 []byte, now time.Time) (Session, Account, error)
	// RevokeDisplay ends the display, its sessions and its link. It changes nothing if the display is already revoked.
	RevokeDisplay(ctx context.Context, id int64, actor string) error
}

// linkTTL is how long a display's link can be used.
const linkTTL = 72 * time.Hour

// Displays returns the displays of the actor's scope, newest first. It returns fault.Forbidden if the actor lacks
// PermAccounts.
func (v *Service) Displays(ctx context.Context, actor core.Principal, p core.Page) ([]Display, error) {
	if err := actor.Need(PermAccounts); err != nil {
		return nil, err
	}
	all, err := v.displays.Displays(ctx, actor.Scope(), p)
	return all, fault.Wrap(fault.KindOf(err), err, "the displays cannot be read now")
}

// CreateDisplay creates a display in the actor's scope and returns it with the token of its link. The token is returned
// only once. It returns fault.Invalid with the field if a field is not valid, and fault.Conflict if a display in use has
// the name.
func (v *Service) CreateDisplay(ctx context.Context, actor core.Principal, n NewDisplay) (Display, string, error) {
	if err := actor.Need(PermAccounts); err != nil {
		return Display{}, "", err
	}
	d, err := checkDisplay(actor, n)
	if err != nil {
		return Display{}, "", err
	}
	token := newToken()
	d.CreatedAt, d.CreatedBy = v.now(), actor.Login
	d.LinkExpires = new(d.CreatedAt.Add(linkTTL))
	d, err = v.displays.CreateDisplay(ctx, d, sha(token), actor.Login)
	return d, token, err
}

// RenewLink creates a new link for a display, for example for another device. The current device stays logged in until
// the link is used.
func (v *Service) RenewLink(ctx context.Context, actor core.Principal, id int64) (Display, string, error) {
	if err := v.ownDisplay(ctx, actor, id); err != nil {
		return Display{}, "", err
	}
	token := newToken()
	d, err := v.displays.RenewLink(ctx, id, sha(token), v.now().Add(linkTTL), actor.Login)
	return d, token, err
}

// RevokeDisplay ends a display and the login of its device.
func (v *Service) RevokeDisplay(ctx context.Context, actor core.Principal, id int64) error {
	if err := v.ownDisplay(ctx, actor, id); err != nil {
		return err
	}
	if err := v.displays.RevokeDisplay(ctx, id, actor.Login); err != nil {
		return fault.Wrap(fault.KindOf(err), err, "the display cannot be revoked now")
	}
	v.cache.drop(func(p core.Principal) bool { return p.Display == id })
	return nil
}

// PreviewLink returns the display of a link. It does not use the link, because chat programs open links for a preview
// and people open them only to look. It returns fault.NotFound for a wrong link; wrong links delay further attempts as
// wrong passwords do.
func (v *Service) PreviewLink(ctx context.Context, token string, remote netip.Addr) (Display, error) {
	var d Display
	err := v.guess(ctx, remote, func() (err error) {
		d, err = v.displays.DisplayByLink(ctx, sha(token), v.now())
		return err
	})
	return d, err
}

// ClaimLink logs a device in as the display of a link and marks the link as used. The session's token is returned only
// once.
func (v *Service) ClaimLink(ctx context.Context, link string, remote netip.Addr, agent string) (token string, p core.Principal, err error) {
	token = newToken()
	var s Session
	var a Account
	err = v.guess(ctx, remote, func() (err error) {
		s = v.newSession(Account{Display: 1}, remote, agent)
		s, a, err = v.displays.ClaimLink(ctx, sha(link), s, sha(token), v.now())
		return err
	})
	if err != nil {
		return "", core.Principal{}, err
	}
	v.cache.drop(func(p core.Principal) bool { return p.Display == a.Display })
	v.log.InfoContext(ctx, "a display logged in", slog.String("user", a.Login), slog.Int64("session", s.ID), slog.String("remote", s.Remote))
	return token, principal(s, a), nil
}

// guess calls try under the limit for links of the address. It counts a failure only if try returns fault.NotFound, not
// if the link was correct or could not be checked.
func (v *Service) guess(ctx context.Context, remote netip.Addr, try func() error) error {
	holds := []hold{{loginKey("link", remoteKey(remote)), v.limits.address}}
	wait, cancel := context.WithTimeoutCause(ctx, v.o.Patience, errBusy())
	defer cancel()
	if err := v.throttle.begin(wait, holds, v.now); err != nil {
		return waited(err)
	}
	defer v.throttle.end(holds)
	err := try()
	if fault.Is(err, fault.NotFound) {
		v.throttle.fail(holds, nil, v.now())
	}
	return err
}

// ownDisplay returns nil if the actor may manage the display. It returns fault.Forbidden if the actor lacks PermAccounts,
// and fault.NotFound if the display does not exist or is outside the actor's scope.
func (v *Service) ownDisplay(ctx context.Context, actor core.Principal, id int64) error {
	if err := actor.Need(PermAccounts); err != nil {
		return err
	}
	d, err := v.displays.DisplayByID(ctx, id)
	switch {
	case fault.Is(err, fault.NotFound) || (err == nil && !actor.Scope().Covers(d.Division)):
		return fault.New(fault.NotFound, "there is no display %d", id)
	default:
		return fault.Wrap(fault.KindOf(err), err, "the display cannot be read now")
	}
}

func checkDisplay(actor core.Principal, n NewDisplay) (Display, error) {
	d := Display{Name: strings.TrimSpace(n.Name), Mode: n.Mode, Start: n.Start}
	division, err := geo.ParseDivision(n.Division)
	if err != nil {
		return d, err
	}
	d.Division = division
	switch {
	case d.Name == "":
		return d, fault.InvalidCode("name", fault.CodeNotEmpty)
	case utf8.RuneCountInString(d.Name) > MaxName || !utf8.ValidString(d.Name) || strings.ContainsFunc(d.Name, unicode.IsControl):
		return d, fault.InvalidCode("name", fault.CodeNameLine, MaxName)
	case d.Mode != DisplayReads && d.Mode != DisplayAcknowledges:
		return d, fault.InvalidCode("mode", fault.CodeNeitherOf, string(DisplayReads), string(DisplayAcknowledges))
	case d.Start != StartWall && d.Start != StartPhone:
		return d, fault.InvalidCode("start", fault.CodeNeitherOf, string(StartWall), string(StartPhone))
	case !actor.Scope().Covers(d.Division):
		return d, fault.NewCoded(fault.Forbidden, "division", core.CodeDivisionOutside, d.Division, actor.Division)
	}
	return d, nil
}

func sha(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}
