package text

import (
	"strings"
	"unicode/utf8"
)

// Storable reports whether a text column of PostgreSQL can store s: valid UTF-8 without NUL.
func Storable(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// MakeStorable returns s with U+FFFD in place of what a text column cannot store.
func MakeStorable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
