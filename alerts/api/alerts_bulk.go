package alertsapi

import (
	"context"
	"slices"

	"onemap/alerts"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/httpx"
)

// BulkStep is one handling step on several alerts. The service takes the step on each alert in a separate transaction,
// so some alerts may be refused while others change.
type BulkStep struct {
	StepWords

	Action alerts.Action `json:"action" doc:"acknowledge, assign, resolve or close"`
	IDs    []int64       `json:"ids" doc:"1 to 500"`
	Levels []int         `json:"levels,omitempty" maxItems:"500" doc:"The level that the person was shown of each alert, in the order of ids; see level of a step on one alert"`
}

// BulkItem is the result for one alert: either the alert after the step, or the problem that refused the step.
type BulkItem struct {
	ID      int64          `json:"id"`
	Alert   *alerts.Alert  `json:"alert,omitempty"`
	Problem *httpx.Problem `json:"problem,omitempty"`
}

// shown returns the alerts of the step, each with the level at which the person saw it. It returns fault.Invalid if
// there are levels but not one for each alert, or if a level is not 0 to 4.
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

// handleAlerts takes the step on each alert. The answer has one item for each id, in the order of the ids. An error of
// one alert is in its item. Only an error of the command itself refuses the whole request.
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
