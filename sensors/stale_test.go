package sensors

import (
	"testing"
	"time"
)

func TestIsStale(t *testing.T) {
	now := time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for name, c := range map[string]struct {
		own, received, listening time.Duration // ago
		intervalS                int
		want                     bool
	}{
		"just before":                 {179 * time.Second, 179 * time.Second, time.Hour, 60, false},
		"three intervals":             {180 * time.Second, 180 * time.Second, time.Hour, 60, true},
		"a short interval":            {29 * time.Second, 29 * time.Second, time.Hour, 1, false},
		"the least":                   {30 * time.Second, 30 * time.Second, time.Hour, 1, true},
		"late":                        {time.Hour, time.Second, 2 * time.Hour, 60, true},
		"ahead":                       {-time.Hour, time.Second, 2 * time.Hour, 60, false},
		"ahead and long ago":          {-time.Hour, time.Hour, 2 * time.Hour, 60, true},
		"the server could not hear":   {time.Hour, time.Hour, time.Minute, 60, false},
		"it can hear for long enough": {time.Hour, time.Hour, 3 * time.Minute, 60, true},
	} {
		o := Observation{Time: ago(c.own), ReceivedAt: ago(c.received)}
		if got := IsStale(o.EffectiveTime(), ago(c.listening), c.intervalS, now); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
