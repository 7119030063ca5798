package cataloguepg

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"onemap/catalogue"
	"onemap/internal/core"
	"onemap/internal/eventlog"
	"onemap/internal/pg"
)

// maxEventIDs is the largest number of ids of each kind in one event.
const maxEventIDs = 500

// changedIDs is the number of features that one change concerned, and at most maxEventIDs of their ids.
type changedIDs struct {
	n   int64
	ids []int64
}

func (c *changedIDs) add(ids ...int64) {
	c.n += int64(len(ids))
	c.ids = append(c.ids, ids[:min(len(ids), maxEventIDs-len(c.ids))]...)
}

// featureChanges are the features that one change of a layer concerned. The zero value means that only the entry of the
// layer changed.
type featureChanges struct {
	created, updated, deleted changedIDs
}

// layerPayload is the payload of the event layer.changed. Its form is a contract with clients; see
// docs/push-protocol.md.
type layerPayload struct {
	Layer   string    `json:"layer"`
	Version int64     `json:"version"`
	BBox    []float64 `json:"bbox"` // west, south, east, north around all changes, before and after; null: no geometry
	*layerChanges
}

// layerChanges lists the changed features by id. If a count is larger than its list, the list is incomplete.
type layerChanges struct {
	Created []int64      `json:"created"`
	Updated []int64      `json:"updated"`
	Deleted []int64      `json:"deleted"`
	Counts  changeCounts `json:"counts"`
}

type changeCounts struct {
	Created int64 `json:"created"`
	Updated int64 `json:"updated"`
	Deleted int64 `json:"deleted"`
}

func (c featureChanges) none() bool { return c.created.n+c.updated.n+c.deleted.n == 0 }

func (c featureChanges) payload() *layerChanges {
	list := func(ids []int64) []int64 { return append([]int64{}, ids...) } // never null
	return &layerChanges{
		Created: list(c.created.ids), Updated: list(c.updated.ids), Deleted: list(c.deleted.ids),
		Counts: changeCounts{c.created.n, c.updated.n, c.deleted.n},
	}
}

// layerChanged writes the event for everyone who may see the layer. The event goes to whole cities, not only to the
// divisions of the changed features, because every client that has the layer's version needs the new one. If the layer
// is shown by division, the ids are in a second event for the city only, because a county must not learn of the
// features of other counties.
func layerChanged(ctx context.Context, tx pgx.Tx, l catalogue.Layer, bbox []float64, actor string, changes featureChanges) error {
	rows, err := tx.Query(ctx, "select left(code, 4) from division union select left(division_code, 4) from account order by 1")
	if err != nil {
		return pg.MapErr(err, "look up the cities")
	}
	cities, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return pg.MapErr(err, "look up the cities")
	}
	payload := layerPayload{Layer: l.Name, Version: l.Version, BBox: bbox, layerChanges: changes.payload()}
	e := core.Event{Kind: catalogue.EventLayerChanged, Divisions: cities, Subject: l.Name, Actor: actor}
	if l.Audience.Kind == core.AudienceRoles {
		e.Roles = append([]core.Role{}, l.Audience.Roles...)
	}
	if l.Audience.Kind != core.AudienceDivision || changes.none() {
		return appendLayerChanged(ctx, tx, e, payload)
	}
	withoutIDs := payload
	withoutIDs.layerChanges = nil
	if err := appendLayerChanged(ctx, tx, e, withoutIDs); err != nil {
		return err
	}
	e.Divisions = nil
	return appendLayerChanged(ctx, tx, e, payload)
}

// appendLayerChanged writes one event with the payload. It takes the lock of the event log, so no other write may
// follow.
func appendLayerChanged(ctx context.Context, tx pgx.Tx, e core.Event, p layerPayload) error {
	var err error
	if e.Payload, err = json.Marshal(p); err != nil {
		return fmt.Errorf("encode layer.changed: %w", err)
	}
	_, err = eventlog.Append(ctx, tx, e)
	return err
}
