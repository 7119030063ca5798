package auth

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"onemap/internal/core"
	"onemap/internal/fault"
)

func newDisplay(t *testing.T, v *Service, mode DisplayMode) (Display, string) {
	t.Helper()
	d, link, err := v.CreateDisplay(t.Context(), admin("3706"), NewDisplay{Name: "值班室大屏", Division: "3706", Mode: mode, Start: StartWall})
	if err != nil {
		t.Fatal(err)
	}
	return d, link
}

func TestDisplayLastsUntilItIsRevoked(t *testing.T) {
	v, _, c := newService(t, Options{})
	d, link := newDisplay(t, v, DisplayReads)
	here := netip.MustParseAddr("192.0.2.7")
	for range 3 { // a link preview, an admin who looks: nothing is used up
		if got, err := v.PreviewLink(t.Context(), link, here); err != nil || got.ID != d.ID {
			t.Fatalf("preview: %+v, %v", got, err)
		}
	}
	token, p, err := v.ClaimLink(t.Context(), link, here, "kiosk")
	if err != nil || p.Display != d.ID || p.Login != "display: 值班室大屏" || !p.Ends.IsZero() {
		t.Fatalf("claim: %+v, %v", p, err)
	}
	if _, err := v.PreviewLink(t.Context(), link, here); !fault.Is(err, fault.NotFound) {
		t.Errorf("the used link still shows: %v", err)
	}
	if _, _, err := v.ClaimLink(t.Context(), link, here, "second"); !fault.Is(err, fault.NotFound) {
		t.Errorf("the link is used twice: %v", err)
	}
	for range 30 {
		c.pass(30 * 24 * time.Hour)
		if !alive(t, v, token) {
			t.Fatal("a display that is used ended by itself")
		}
	}
	if err := v.RevokeDisplay(t.Context(), admin("3706"), d.ID); err != nil {
		t.Fatal(err)
	}
	if alive(t, v, token) {
		t.Error("alive after its revocation")
	}
}

// A new link leaves the device in use until another device uses it.
func TestDisplayMovesToAnotherDevice(t *testing.T) {
	v, _, c := newService(t, Options{})
	d, link := newDisplay(t, v, DisplayAcknowledges)
	here := netip.MustParseAddr("192.0.2.7")
	old, _, err := v.ClaimLink(t.Context(), link, here, "old")
	if err != nil {
		t.Fatal(err)
	}
	_, stale, err := v.RenewLink(t.Context(), admin("3706"), d.ID)
	if err != nil || !alive(t, v, old) {
		t.Fatalf("a new link ended the device in use: %v", err)
	}
	_, next, err := v.RenewLink(t.Context(), admin("3706"), d.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.PreviewLink(t.Context(), stale, here); !fault.Is(err, fault.NotFound) {
		t.Errorf("a replaced link still holds: %v", err)
	}
	fresh, _, err := v.ClaimLink(t.Context(), next, here, "new")
	if err != nil || alive(t, v, old) || !alive(t, v, fresh) {
		t.Errorf("old and new device: %v", err)
	}
	_, late, err := v.RenewLink(t.Context(), admin("3706"), d.ID)
	if err != nil {
		t.Fatal(err)
	}
	c.pass(linkTTL)
	if _, _, err := v.ClaimLink(t.Context(), late, here, "late"); !fault.Is(err, fault.NotFound) {
		t.Errorf("an expired link holds: %v", err)
	}
}

func TestDisplayIsManagedInItsScope(t *testing.T) {
	v, _, _ := newService(t, Options{})
	d, _ := newDisplay(t, v, DisplayReads)
	_, commander := open(t, v)
	if _, err := v.Displays(t.Context(), commander, core.Page{}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a commander lists displays: %v", err)
	}
	if all, err := v.Displays(t.Context(), admin("370602"), core.Page{}); err != nil || len(all) != 0 {
		t.Errorf("a county's administrator sees %v, %v", all, err)
	}
	if err := v.RevokeDisplay(t.Context(), admin("370602"), d.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("a county's administrator revokes the city's: %v", err)
	}
	for field, n := range map[string]NewDisplay{
		"name":  {Name: " ", Division: "3706", Mode: DisplayReads, Start: StartWall},
		"mode":  {Name: "x", Division: "3706", Mode: "edit", Start: StartWall},
		"start": {Name: "x", Division: "3706", Mode: DisplayReads, Start: "admin"},
	} {
		_, _, err := v.CreateDisplay(t.Context(), admin("3706"), n)
		if e, ok := errors.AsType[*fault.Error](err); !ok || e.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, _, err := v.CreateDisplay(t.Context(), admin("370602"), NewDisplay{Name: "x", Division: "3706", Mode: DisplayReads, Start: StartWall}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a county's administrator makes the city's: %v", err)
	}
}

// Nobody logs in with a display's name, whatever the password; guesses of links are slowed.
func TestDisplayHasNoPassword(t *testing.T) {
	v, _, _ := newService(t, Options{RemoteFailures: 3})
	newDisplay(t, v, DisplayReads)
	for _, password := range []string{"", "x", secret} {
		if _, _, err := login(v, "display: 值班室大屏", password, "192.0.2.1"); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%q: %v", password, err)
		}
	}
	for range 3 {
		if _, err := v.PreviewLink(t.Context(), newToken(), netip.MustParseAddr("192.0.2.8")); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
	}
	if _, err := v.PreviewLink(t.Context(), newToken(), netip.MustParseAddr("192.0.2.8")); !fault.Is(err, fault.TooMany) {
		t.Errorf("guesses are not slowed: %v", err)
	}
}
