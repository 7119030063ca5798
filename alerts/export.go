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

// Export reads the alerts of the scope that the filter matches, newest first, page by page. It calls write for each
// alert with the steps that people took on it. cut is true if there are more than most alerts. Export stops at an error
// of write and returns it unchanged.
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
