package api

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/fault"
	"onemap/internal/text"
)

// parseBBox reads west,south,east,north in degrees; nil for an empty text. A box over the date line
// (west > east) is refused: no city lies there.
func parseBBox(s string) (*orb.Bound, error) {
	if s == "" {
		return nil, nil
	}
	parts := strings.Split(s, ",")
	if len(parts) != 4 || len(s) > 200 {
		return nil, fault.InvalidField("bbox", "must be four numbers: west,south,east,north")
	}
	var v [4]float64
	for i, part := range parts {
		n, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return nil, fault.InvalidField("bbox", "%q is no number of degrees", cut(part))
		}
		v[i] = n
	}
	west, south, east, north := v[0], v[1], v[2], v[3]
	switch {
	case west < -180 || east > 180 || south < -90 || north > 90:
		return nil, fault.InvalidField("bbox", "lies outside the world: longitude -180 to 180, then latitude -90 to 90")
	case west > east:
		return nil, fault.InvalidField("bbox", "west is greater than east")
	case south > north:
		return nil, fault.InvalidField("bbox", "south is greater than north")
	}
	return &orb.Bound{Min: orb.Point{west, south}, Max: orb.Point{east, north}}, nil
}

// period is the time to look at: to is now when not given, from is 6 hours before to.
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

// etag is the entity tag of a version.
func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// ifMatch reads the version that an If-Match header asks for. A request without one is refused:
// whoever changes a thing says which version of it they saw.
func ifMatch(header string) (int64, error) {
	if header == "" {
		return 0, &fault.Error{Kind: fault.PreconditionMissing, Field: "If-Match", Msg: "send the ETag of the version that you saw"}
	}
	inner, opened := strings.CutPrefix(header, `"`)
	inner, closed := strings.CutSuffix(inner, `"`)
	n, err := strconv.ParseInt(inner, 10, 64)
	if err != nil || n < 0 || !opened || !closed {
		return 0, fault.InvalidField("If-Match", "%q is no ETag of this server: a number in quotes", cut(header))
	}
	return n, nil
}

// cut shortens what a sender wrote for a sentence.
func cut(s string) string { return text.Cut(s, 40) }

// contentTag is the weak entity tag of bytes that may be sent compressed.
func contentTag(b []byte) string {
	sum := sha256.Sum256(b)
	return `W/"` + hex.EncodeToString(sum[:12]) + `"`
}
