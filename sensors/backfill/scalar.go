package backfill

import (
	"strconv"
	"unicode/utf8"

	"onemap/internal/text"
	"onemap/sensors"
)

// itoa returns n in decimal digits.
func itoa(n int) string { return strconv.Itoa(n) }

// parseQC parses a QARTOD flag; an empty text means no flag.
func parseQC(b []byte) (sensors.QC, string) {
	if len(b) == 0 {
		return 0, ""
	}
	// A flag is one digit. Another byte results in a QC that is none of the five.
	if len(b) == 1 {
		switch q := sensors.QC(b[0] - '0'); q {
		case sensors.QCGood, sensors.QCNotEvaluated, sensors.QCSuspect, sensors.QCBad, sensors.QCMissing:
			return q, ""
		}
	}
	return 0, clip(string(b)) + " is none of 1, 2, 3, 4, 9"
}

// parseID parses the id of a datastream.
func parseID(b []byte) (int64, string) {
	id, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil || id <= 0 {
		return 0, clip(string(b)) + " is no datastream's id"
	}
	return id, ""
}

// clipName is clip for a name that may be empty.
func clipName(name string) string {
	if name == "" {
		return ""
	}
	return clip(name)
}

// clip converts external text for use in a message: printable, at most 60 bytes.
func clip(s string) string {
	const limit = 60
	cut := ""
	if len(s) > limit {
		s, cut = text.Prefix(s, limit), "…"
	}
	for _, r := range s {
		if !strconv.IsPrint(r) || r == utf8.RuneError || r == '"' {
			return strconv.Quote(s) + cut
		}
	}
	if s == "" {
		return `""`
	}
	return s + cut
}
