package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"onemap/auth"
	"onemap/internal/core"
)

// A wall is made, its link looked at and used once, its device seen in the list, and revoked.
func TestDisplayOverHTTP(t *testing.T) {
	w := newWorld(t, nil)
	var made DisplayLink
	wall := map[string]any{"name": "西厅大屏", "division": "370602", "mode": "acknowledge", "start": "phone"}
	w.send(admin, http.MethodPost, "/api/v1/displays", wall).decode(t, &made)
	if len(made.Token) != 43 || made.Display.LinkExpires == nil || made.Display.ClaimedAt != nil || made.Display.CreatedBy != admin {
		t.Fatalf("made: %+v", made)
	}
	a := w.send(admin, http.MethodPost, "/api/v1/displays", wall)
	if p := a.problem(t); a.status != http.StatusConflict || p.Code != "display-taken" || p.Field != "name" {
		t.Errorf("the same name: %d %+v", a.status, p)
	}
	token := map[string]any{"token": made.Token}
	for range 2 {
		var seen LinkPreview
		w.send("", http.MethodPost, "/api/v1/display-links/preview", token).decode(t, &seen)
		if seen.Name != "西厅大屏" || seen.DivisionName.ZH != "芝罘区" || seen.Mode != "acknowledge" || seen.Start != "phone" {
			t.Errorf("preview: %+v", seen)
		}
	}
	a = w.send("", http.MethodPost, "/api/v1/display-links/claim", token, "User-Agent", "kiosk browser")
	var me Me
	a.decode(t, &me)
	if me.User != "display: 西厅大屏" || me.Display == nil || me.Display.Name != "西厅大屏" || me.Ends != nil || strings.Join(permissionWords(me.Permissions), " ") != "view acknowledge" {
		t.Errorf("me: %+v", me)
	}
	c := cookieOf(t, a)
	if c.Expires.Before(w.clock.now().Add(390 * 24 * time.Hour)) {
		t.Errorf("the cookie of a display ends %v", c.Expires)
	}
	used := w.send("", http.MethodPost, "/api/v1/display-links/claim", token)
	if p := used.problem(t); used.status != http.StatusNotFound || p.Code != "link-used" {
		t.Errorf("the link a second time: %d %+v", used.status, p)
	}

	cookie := []string{"Cookie", SessionCookie + "=" + c.Value}
	w.clock.pass(200 * 24 * time.Hour)
	again := w.send("", http.MethodGet, "/api/v1/me", nil, cookie...)
	if again.status != http.StatusOK || !cookieOf(t, again).Expires.After(c.Expires.Add(190*24*time.Hour)) {
		t.Errorf("the cookie is not renewed: %d %v", again.status, again.header)
	}
	for _, account := range []string{admin, commander} { // people log in again meanwhile
		w.tokens[account] = cookieOf(t, w.logIn(account, password)).Value
	}
	if a := w.send("", http.MethodPost, fmt.Sprintf("/api/v1/alerts/%d/acknowledge", w.alert.ID), "{}", cookie...); a.status != http.StatusOK {
		t.Errorf("acknowledge: %d %s", a.status, a.body)
	}
	for action, body := range map[string]string{"assign": `{"assignee":"x"}`, "resolve": `{"note":"x"}`, "close": `{"note":"x"}`} {
		if a := w.send("", http.MethodPost, fmt.Sprintf("/api/v1/alerts/%d/%s", w.alert.ID, action), body, cookie...); a.status != http.StatusForbidden {
			t.Errorf("%s: %d %s", action, a.status, a.body)
		}
	}
	detail := w.send(commander, http.MethodGet, fmt.Sprintf("/api/v1/alerts/%d", w.alert.ID), nil)
	if !strings.Contains(string(detail.body), `"display: 西厅大屏"`) {
		t.Errorf("the history does not name the display: %s", detail.body)
	}

	var listed List[auth.Display]
	w.send(admin, http.MethodGet, "/api/v1/displays", nil).decode(t, &listed)
	if d := listed.Items[0]; d.ID != made.Display.ID || d.Agent != "kiosk browser" || d.LastSeen == nil || d.LinkExpires != nil || d.ClaimedAt == nil || d.Connected {
		t.Errorf("listed: %+v", d)
	}
	var accounts List[auth.Account]
	w.send(admin, http.MethodGet, "/api/v1/accounts", nil).decode(t, &accounts)
	for _, account := range accounts.Items {
		if strings.HasPrefix(account.Login, "display") {
			t.Errorf("%s is listed as a person", account.Login)
		}
	}
	if a := w.send(admin, http.MethodPatch, "/api/v1/accounts/display:%20西厅大屏", map[string]any{"role": "administrator"}, "If-Match", `"1"`); a.status != http.StatusNotFound {
		t.Errorf("a display is changed as an account: %d", a.status)
	}

	if a := w.send(admin, http.MethodDelete, fmt.Sprintf("/api/v1/displays/%d", made.Display.ID), nil); a.status != http.StatusNoContent {
		t.Errorf("revoke: %d %s", a.status, a.body)
	}
	if a := w.send("", http.MethodGet, "/api/v1/me", nil, cookie...); a.status != http.StatusUnauthorized {
		t.Errorf("after its revocation: %d", a.status)
	}
	if a := w.send(admin, http.MethodPost, "/api/v1/displays", wall); a.status != http.StatusCreated {
		t.Errorf("the name of a revoked display is not free: %d %s", a.status, a.body)
	}
}

func permissionWords(all []core.Permission) []string {
	var out []string
	for _, p := range all {
		out = append(out, string(p))
	}
	return out
}
