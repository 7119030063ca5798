package app

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"onemap/internal/core"
)

func TestHealthMergesTheWorst(t *testing.T) {
	var away error
	m := newMonitor(func(context.Context) error { return away }, slog.New(slog.DiscardHandler))
	broker := core.Health{Part: partBroker, OK: true, Lag: 1}
	ingest := core.Health{Part: partDatabase, OK: true, Lag: 2}
	layers := core.Health{Part: partLayers, OK: true}
	m.direct = []func() core.Health{
		func() core.Health { return broker }, func() core.Health { return ingest }, func() core.Health { return layers },
	}

	if h := m.Health(); h[0].OK || h[0].Detail != "starting" {
		t.Errorf("before the first look the database is %+v", h[0])
	}
	m.checkDatabase(t.Context())
	want := []core.Health{{Part: partDatabase, OK: true, Lag: 2}, broker, layers}
	if d := cmp.Diff(want, m.Health()); d != "" {
		t.Error(d)
	}
	away = errors.New("gone")
	m.checkDatabase(t.Context())
	if h := m.Health()[0]; h.OK || h.Detail != "does not answer" {
		t.Errorf("database away: %+v", h)
	}
	away, ingest = nil, core.Health{Part: partDatabase, Detail: "no commit"}
	m.checkDatabase(t.Context())
	if h := m.Health()[0]; h.OK || h.Detail != "no commit" {
		t.Errorf("the ingest path cannot commit: %+v", h)
	}
}
