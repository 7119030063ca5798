package alertsapi

import (
	"context"
	"slices"

	"onemap/alerts"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/httpx"
)

// BulkStep is one step on several alerts.
type BulkStep struct {
	StepWords

	Action alerts.Action `json:"action" doc:"acknowledge, assign, resolve or close"`
	IDs    []int64       `json:"ids" doc:"1 to 500"`
	Levels []int         `json:"levels,omitempty" maxItems:"500" doc:"The level that the person was shown of each alert, in the order of ids; see level of a step on one alert"`
}

// BulkItem is what became of one of them: the alert as it then is, or why not.
type BulkItem struct {
	ID      int64          `json:"id"`
	Alert   *alerts.Alert  `json:"alert,omitempty"`
	Problem *httpx.Problem `json:"problem,omitempty"`
}

// shown is each alert with the level that it was shown at.
func (b BulkStep) shown() ([]alerts.Shown, error) {
	if len(b.Levels) != 0 && len(b.Levels) != len(b.IDs) {
		return nil, fault.InvalidCode("levels", alerts.CodeShownCount, len(b.Levels), len(b.IDs))
	}
	if slices.ContainsFunc(b.Levels, func(l int) bool { return l < 0 || l > int(core.Blue) }) {
		return nil, fault.InvalidCode("levels", alerts.CodeLevelUnknown)
	}
	shown := make([]alerts.Shown, len(b.IDs))
	for i, id := range b.IDs {
		shown[i].ID = id
		if len(b.Levels) != 0 {
			shown[i].Level = core.Level(b.Levels[i])
		}
	}
	return shown, nil
}

type bulkInput struct{ Body BulkStep }

// handleAlerts answers in the order of the ids.
func (s *API) handleAlerts(ctx context.Context, p core.Principal, in *bulkInput) (*httpx.Body[httpx.Whole[BulkItem]], error) {
	shown, err := in.Body.shown()
	if err != nil {
		return nil, err
	}
	results, err := s.o.Handler.HandleAll(ctx, p, command(in.Body.Action, 0, in.Body.StepWords, core.None), shown)
	if err != nil {
		return nil, err
	}
	items := make([]BulkItem, 0, len(results))
	for _, r := range results {
		item := BulkItem{ID: r.ID}
		if r.Err != nil {
			item.Problem = s.ProblemOf(ctx, r.Err)
		} else {
			a := possibleFor(p, r.Alert)
			item.Alert = &a
		}
		items = append(items, item)
	}
	return httpx.WholeList(items), nil
}
