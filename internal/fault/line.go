package fault

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// CheckLine returns an Invalid error for field if s is not one line of text of at most limit characters. Names, titles and
// labels are repeated in every list, message and event, so they must be short.
func CheckLine(field, s string, limit int) error {
	if utf8.RuneCountInString(s) > limit || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return InvalidCode(field, CodeNameLine, limit)
	}
	return nil
}
