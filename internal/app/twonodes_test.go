package app_test

import (
	"context"
	"net/http"
	"path/filepath"
	"testing"

	"onemap/alerts"
	"onemap/demo"
	"onemap/internal/app"
	"onemap/internal/config"
	"onemap/internal/core"
)

// secondNode starts another server on a demo's database and returns what a client needs to use it.
func secondNode(t *testing.T, first demo.Info) demo.Info {
	t.Helper()
	second, err := app.Start(t.Context(), app.Options{
		Server: config.Server{
			HTTP: "127.0.0.1:0", MQTT: "127.0.0.1:0", City: "3706", Sender: "test.onemap", Node: "second",
			BaseData: filepath.Join("..", "..", "data", "base"),
		},
		DatabaseURL: first.Database,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		if err := second.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	there := first
	there.HTTP, there.MQTT = second.URL(), second.MQTTAddr()
	return there
}

// Two nodes use one database. A reading that is published to one reaches the other's clients, and a session that ends on one
// has ended on the other. When the node that evaluates the rules stops, the other takes over and loses or doubles no alert.
func TestTwoNodes(t *testing.T) {
	first := startDemo(t, demoDir(t))
	there := secondNode(t, first.Info())

	commander := login(t, there, "commander")
	commander.clearAtOnce()
	here := login(t, first.Info(), "r370602")
	elsewhere := login(t, there, "r370602")
	l := elsewhere.connect("client-second-node", "", core.Mark{})
	mosquittoPub(t, first.Info(), "mqttv311", first.Info().Device.RedAbove+0.3)
	_, issued := l.untilAlert(alerts.EventIssued, first.Info().Device.ID)

	var sessions struct {
		Items []struct {
			ID      int64 `json:"id"`
			Current bool  `json:"current"`
		} `json:"items"`
	}
	if code := commander.call(http.MethodGet, "/api/v1/me", nil, nil); code != http.StatusOK {
		t.Fatalf("me: status %d", code)
	}
	if code := here.call(http.MethodGet, "/api/v1/sessions", nil, &sessions); code != http.StatusOK || len(sessions.Items) < 2 {
		t.Fatalf("sessions: status %d, %+v", code, sessions)
	}
	if code := here.call(http.MethodDelete, "/api/v1/session", nil, nil); code != http.StatusNoContent {
		t.Fatalf("logout: status %d", code)
	}
	if code := elsewhere.call(http.MethodGet, "/api/v1/me", nil, nil); code != http.StatusOK {
		t.Errorf("another session of the same account ended, too: status %d", code)
	}
	admin := login(t, first.Info(), "admin")
	change := map[string]string{"password": "an entirely new one"}
	if code := admin.patch("/api/v1/accounts/r370602", "1", change); code != http.StatusOK {
		t.Fatalf("new password: status %d", code)
	}
	eventually(t, "the other node has ended the session", func() bool {
		return elsewhere.call(http.MethodGet, "/api/v1/me", nil, nil) == http.StatusUnauthorized
	})

	city := commander.connect("client-city-second", "", core.Mark{})
	if err := first.App.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	mosquittoPub(t, there, "mqttv311", there.Device.ClearBelow-0.5)
	_, cleared := city.untilAlert(alerts.EventCleared, there.Device.ID)
	if cleared.Alert.ID != issued.Alert.ID {
		t.Errorf("alert %d was issued, %d cleared", issued.Alert.ID, cleared.Alert.ID)
	}
}
