// Package text shortens external text for messages, logs and columns with a limit.
package text

import "unicode/utf8"

// Prefix returns at most limit bytes from the beginning of s. It does not split a character.
func Prefix(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// Cut returns Prefix, with "…" appended if something was removed.
func Cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return Prefix(s, limit) + "…"
}
