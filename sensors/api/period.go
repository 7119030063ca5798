package sensorsapi

import (
	"time"

	"onemap/internal/fault"
)

// period checks a period and sets its defaults: to is now, and from is 6 hours before to.
func period(from, to, now time.Time) (time.Time, time.Time, error) {
	if to.IsZero() {
		to = now
	}
	if from.IsZero() {
		from = to.Add(-6 * time.Hour)
	}
	if y := from.Year(); y < 1900 || to.Year() > 2200 {
		return from, to, fault.InvalidField("from", "lies outside the years 1900 to 2200")
	}
	if !from.Before(to) {
		return from, to, fault.InvalidField("from", "must be before to")
	}
	return from, to, nil
}
