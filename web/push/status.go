package push

import (
	"context"
	"log/slog"
	"time"

	"onemap/internal/fault"
	"onemap/internal/wait"
)

// receiveStatus handles a status frame. An alert that the client's scope may not see is treated as no alert, so that the
// client cannot find out whether such an alert exists. It returns an error if the client sends more than MaxStatus
// frames in one Heartbeat.
func (c *client) receiveStatus(ctx context.Context, s ClientStatus) error {
	now := time.Now()
	if now.Sub(c.statusFrom) > c.hub.o.Heartbeat {
		c.statusFrom, c.statuses = now, 0
	}
	if c.statuses++; c.statuses > c.hub.o.MaxStatus {
		return badFrame("more than %d status frames in %v", c.hub.o.MaxStatus, c.hub.o.Heartbeat)
	}
	c.using.Store(s.Visible || s.Sound == SoundArmed)
	place := alertPlace{}
	if s.Alert != 0 {
		if place = c.placeOf(ctx, s.Alert); !place.known {
			s.Alert, s.Acting = 0, false
		}
	}
	c.hub.roster.setStatus(c, s, place)
	return nil
}

// alertPlace holds the divisions of an alert. They decide which scopes see its viewers.
type alertPlace struct {
	known     bool
	division  string
	divisions []string
}

// placeOf returns the place of an alert. It calls AlertPlace unless the client already has the alert open.
func (c *client) placeOf(ctx context.Context, id int64) alertPlace {
	if place, ok := c.hub.roster.placeOf(c, id); ok {
		return place
	}
	ask := c.hub.parts.AlertPlace
	if ask == nil {
		return alertPlace{}
	}
	ctx, cancel := context.WithTimeout(ctx, c.hub.o.CallTimeout)
	defer cancel()
	division, divisions, err := ask(ctx, c.scope, id)
	if err != nil {
		if !fault.Is(err, fault.NotFound) {
			c.hub.log.WarnContext(ctx, "could not tell who may see the viewers of an alert", slog.Int64("alert", id), slog.Any("error", err))
		}
		return alertPlace{}
	}
	return alertPlace{known: true, division: division, divisions: divisions}
}

// setStatus stores a client's ClientStatus.
func (r *roster) setStatus(c *client, s ClientStatus, place alertPlace) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.present[c.id]
	if p == nil || (p.client.Status == s && s.Alert == 0) {
		return
	}
	changed := p.client.Status != s
	p.client.Status, p.place = s, place
	if changed {
		wait.Wake(r.changed)
	}
}

// placeOf returns the place of the client's open alert; ok is false if the open alert is not id.
func (r *roster) placeOf(c *client, id int64) (alertPlace, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.present[c.id]
	if p == nil || p.client.Status.Alert != id || !p.place.known {
		return alertPlace{}, false
	}
	return p.place, true
}
