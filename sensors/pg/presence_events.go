package sensorspg

import (
	"context"
	"encoding/json"

	"github.com/jackc/pgx/v5"

	"onemap/sensors"
)

// divisionEvents collects the changes of one check into one event per division. C is the type of a change.
type divisionEvents[C any] []divisionEvent[C]

// divisionEvent is the event of one division.
type divisionEvent[C any] struct {
	division string
	sensors.ChangeList[C]
}

// add adds a change to the event of its division. The caller must add all changes of a division one after another, the changes of
// devices before those of datastreams: an event lists the first ones.
func (d *divisionEvents[C]) add(division string, c C) {
	if n := len(*d); n == 0 || (*d)[n-1].division != division {
		*d = append(*d, divisionEvent[C]{division: division})
	}
	(*d)[len(*d)-1].Add(c)
}

// write writes the events in one round trip. It must run at the end of the transaction, because the lock of the event log is held
// from here to the commit.
func (d divisionEvents[C]) write(ctx context.Context, tx pgx.Tx, kind string) error {
	if len(d) == 0 {
		return nil
	}
	var batch pgx.Batch
	for _, e := range d {
		payload, err := json.Marshal(e.ChangeList)
		if err != nil {
			return err
		}
		divisions := []string{e.division}
		if e.division == "" {
			divisions = []string{} // a device without a division: only city-wide scopes see the event
		}
		batch.Queue(`select append_event($1, $2, null, '', '', $3)`, kind, divisions, payload)
	}
	return tx.SendBatch(ctx, &batch).Close()
}
