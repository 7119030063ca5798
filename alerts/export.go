package alerts

import (
	"context"

	"onemap/internal/core"
)

// MaxExport is how many alerts one export has at most, and exportPage how many are held at once.
const (
	MaxExport  = 50_000
	exportPage = 500
)

// Export reads the scope's alerts that the filter matches, newest first, page by page, and gives each to
// write with the steps that people took on it. cut says that there are more than the most that one export
// has. An error of write ends it and is returned as it is.
func (d *Desk) Export(ctx context.Context, s core.Scope, f Filter, most int, write func(Alert, []Audit) error) (cut bool, err error) {
	f.Count, f.Before = false, 0
	for written := 0; ; {
		f.Limit = min(exportPage, most-written+1) // one more says whether there are more
		snap, err := d.store.Alerts(ctx, s, f)
		if err != nil || len(snap.Alerts) == 0 {
			return false, err
		}
		ids := make([]int64, 0, len(snap.Alerts))
		for _, a := range snap.Alerts {
			ids = append(ids, a.ID)
		}
		steps, err := d.store.AlertSteps(ctx, ids)
		if err != nil {
			return false, err
		}
		for _, a := range snap.Alerts {
			if written == most {
				return true, nil
			}
			if err := write(a, steps[a.ID]); err != nil {
				return false, err
			}
			written++
			f.Before = a.ID
		}
		if len(snap.Alerts) < f.Limit {
			return false, nil
		}
	}
}
