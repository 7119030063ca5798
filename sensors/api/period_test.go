package sensorsapi

import (
	"testing"
	"time"

	"onemap/internal/fault"
)

func TestPeriod(t *testing.T) {
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	at := func(h int) time.Time { return now.Add(time.Duration(h) * time.Hour) }
	for _, c := range []struct{ from, to, wantFrom, wantTo time.Time }{
		{time.Time{}, time.Time{}, at(-6), now},
		{at(-1), time.Time{}, at(-1), now},
		{time.Time{}, at(-10), at(-16), at(-10)},
		{at(-3), at(-2), at(-3), at(-2)},
	} {
		from, to, err := period(c.from, c.to, now)
		if err != nil || !from.Equal(c.wantFrom) || !to.Equal(c.wantTo) {
			t.Errorf("period(%v, %v) = %v, %v, %v", c.from, c.to, from, to, err)
		}
	}
	for _, c := range []struct{ from, to time.Time }{
		{at(1), now}, {now, now}, {at(1), time.Time{}}, {time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC), now}, {now, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		if _, _, err := period(c.from, c.to, now); !fault.Is(err, fault.Invalid) {
			t.Errorf("period(%v, %v): %v, want invalid", c.from, c.to, err)
		}
	}
}
