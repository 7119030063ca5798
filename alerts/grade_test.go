package alerts

import (
	"testing"

	"onemap/alerts/cap"
	"onemap/internal/core"
)

// 红 橙 黄 蓝 are Extreme, Severe, Moderate and Minor, as reference practice has them; the colour itself stays in a parameter.
func TestColoursInCAP(t *testing.T) {
	for _, c := range []struct {
		level    core.Level
		colour   string
		severity cap.Severity
		urgency  cap.Urgency
		response cap.ResponseType
	}{
		{core.Red, "red", cap.SeverityExtreme, cap.UrgencyImmediate, cap.ResponseExecute},
		{core.Orange, "orange", cap.SeveritySevere, cap.UrgencyImmediate, cap.ResponsePrepare},
		{core.Yellow, "yellow", cap.SeverityModerate, cap.UrgencyExpected, cap.ResponsePrepare},
		{core.Blue, "blue", cap.SeverityMinor, cap.UrgencyExpected, cap.ResponseMonitor},
		{core.None, "none", cap.SeverityUnknown, cap.UrgencyUnknown, cap.ResponseMonitor},
	} {
		if got := gradeOf(c.level); got != (grade{c.severity, c.urgency, c.response}) {
			t.Errorf("%s is %+v", c.colour, got)
		}
		for _, p := range parameters(Alert{Level: c.level}) {
			if p.Name == "colour" && p.Value != c.colour {
				t.Errorf("the colour of %s is said to be %q", c.colour, p.Value)
			}
		}
	}
}
