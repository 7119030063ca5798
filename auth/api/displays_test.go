package authapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"onemap/auth"
	authapi "onemap/auth/api"
	"onemap/internal/core"
	"onemap/internal/httpx"
	"onemap/web/server/servertest"
)

// A wall is made, its link looked at and used once, its device seen in the list, and revoked.
func TestDisplayOverHTTP(t *testing.T) {
	w := newWorld(t, nil)
	var made authapi.DisplayLink
	wall := map[string]any{"name": "西厅大屏", "division": "370602", "mode": "acknowledge", "start": "phone"}
	w.Send(servertest.Admin, http.MethodPost, "/api/v1/displays", wall).Decode(t, &made)
	if len(made.Token) != 43 || made.Display.LinkExpires == nil || made.Display.ClaimedAt != nil || made.Display.CreatedBy != servertest.Admin {
		t.Fatalf("made: %+v", made)
	}
	a := w.Send(servertest.Admin, http.MethodPost, "/api/v1/displays", wall)
	if p := a.Problem(t); a.Status != http.StatusConflict || p.Code != "display-taken" || p.Field != "name" {
		t.Errorf("the same name: %d %+v", a.Status, p)
	}
	token := map[string]any{"token": made.Token}
	for range 2 {
		var seen authapi.LinkPreview
		w.Send("", http.MethodPost, "/api/v1/display-links/preview", token).Decode(t, &seen)
		if seen.Name != "西厅大屏" || seen.DivisionName.ZH != "芝罘区" || seen.Mode != "acknowledge" || seen.Start != "phone" {
			t.Errorf("preview: %+v", seen)
		}
	}
	a = w.Send("", http.MethodPost, "/api/v1/display-links/claim", token, "User-Agent", "kiosk browser")
	var me authapi.Me
	a.Decode(t, &me)
	if me.User != "display: 西厅大屏" || me.Display == nil || me.Display.Name != "西厅大屏" || me.Ends != nil || strings.Join(permissionWords(me.Permissions), " ") != "view acknowledge" {
		t.Errorf("me: %+v", me)
	}
	c := cookieOf(t, a)
	if c.Expires.Before(w.Clock.Now().Add(390 * 24 * time.Hour)) {
		t.Errorf("the cookie of a display ends %v", c.Expires)
	}
	used := w.Send("", http.MethodPost, "/api/v1/display-links/claim", token)
	if p := used.Problem(t); used.Status != http.StatusNotFound || p.Code != "link-used" {
		t.Errorf("the link a second time: %d %+v", used.Status, p)
	}

	cookie := []string{"Cookie", httpx.SessionCookie + "=" + c.Value}
	w.Clock.Pass(200 * 24 * time.Hour)
	again := w.Send("", http.MethodGet, "/api/v1/me", nil, cookie...)
	if again.Status != http.StatusOK || !cookieOf(t, again).Expires.After(c.Expires.Add(190*24*time.Hour)) {
		t.Errorf("the cookie is not renewed: %d %v", again.Status, again.Header)
	}
	for _, account := range []string{servertest.Admin, servertest.Commander} { // people log in again meanwhile
		w.Tokens[account] = cookieOf(t, w.LogIn(account, servertest.Password)).Value
	}
	if a := w.Send("", http.MethodPost, fmt.Sprintf("/api/v1/alerts/%d/acknowledge", w.Alert.ID), "{}", cookie...); a.Status != http.StatusOK {
		t.Errorf("acknowledge: %d %s", a.Status, a.Body)
	}
	for action, body := range map[string]string{"assign": `{"assignee":"x"}`, "resolve": `{"note":"x"}`, "close": `{"note":"x"}`} {
		if a := w.Send("", http.MethodPost, fmt.Sprintf("/api/v1/alerts/%d/%s", w.Alert.ID, action), body, cookie...); a.Status != http.StatusForbidden {
			t.Errorf("%s: %d %s", action, a.Status, a.Body)
		}
	}
	detail := w.Send(servertest.Commander, http.MethodGet, fmt.Sprintf("/api/v1/alerts/%d", w.Alert.ID), nil)
	if !strings.Contains(string(detail.Body), `"display: 西厅大屏"`) {
		t.Errorf("the history does not name the display: %s", detail.Body)
	}

	var listed httpx.List[auth.Display]
	w.Send(servertest.Admin, http.MethodGet, "/api/v1/displays", nil).Decode(t, &listed)
	if d := listed.Items[0]; d.ID != made.Display.ID || d.Agent != "kiosk browser" || d.LastSeen == nil || d.LinkExpires != nil || d.ClaimedAt == nil || d.Connected {
		t.Errorf("listed: %+v", d)
	}
	var accounts httpx.List[auth.Account]
	w.Send(servertest.Admin, http.MethodGet, "/api/v1/accounts", nil).Decode(t, &accounts)
	for _, account := range accounts.Items {
		if strings.HasPrefix(account.Login, "display") {
			t.Errorf("%s is listed as a person", account.Login)
		}
	}
	if a := w.Send(servertest.Admin, http.MethodPatch, "/api/v1/accounts/display:%20西厅大屏", map[string]any{"role": "administrator"}, "If-Match", `"1"`); a.Status != http.StatusNotFound {
		t.Errorf("a display is changed as an account: %d", a.Status)
	}

	if a := w.Send(servertest.Admin, http.MethodDelete, fmt.Sprintf("/api/v1/displays/%d", made.Display.ID), nil); a.Status != http.StatusNoContent {
		t.Errorf("revoke: %d %s", a.Status, a.Body)
	}
	if a := w.Send("", http.MethodGet, "/api/v1/me", nil, cookie...); a.Status != http.StatusUnauthorized {
		t.Errorf("after its revocation: %d", a.Status)
	}
	if a := w.Send(servertest.Admin, http.MethodPost, "/api/v1/displays", wall); a.Status != http.StatusCreated {
		t.Errorf("the name of a revoked display is not free: %d %s", a.Status, a.Body)
	}
}

func permissionWords(all []core.Permission) []string {
	var out []string
	for _, p := range all {
		out = append(out, string(p))
	}
	return out
}
