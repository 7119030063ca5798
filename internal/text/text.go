// Package text shortens what came from outside, for messages, logs and columns with a limit.
package text

import "unicode/utf8"

// Prefix returns the first bytes of s, at most limit, without half a character at the end.
func Prefix(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// Cut is Prefix with "…" in place of what is left out.
func Cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return Prefix(s, limit) + "…"
}
