package core

import (
	"bytes"
	"math"
	"strconv"
	"strings"
)

// MaxDigits is the largest number of digits of a feature's number, written without an exponent: 1e400 has 401 digits. It is
// more than a float64 ever needs. It prevents that 1e100000 becomes a text of 100,001 characters.
const MaxDigits = 1100

// Plain converts a decimal number to a normal form without an exponent and without redundant zeros: 1e3 becomes 1000, 1.10
// becomes 1.1, -0 becomes 0. It accepts JSON numbers, and also a plus sign and a point without digits before or after it. Two
// numbers have the same value exactly if their normal forms are equal. It returns false if the text is not a decimal number
// or needs more than MaxDigits digits.
func Plain(number string) (string, bool) {
	unsigned := strings.TrimPrefix(number, "-")
	sign := number[:len(number)-len(unsigned)]
	if sign == "" {
		unsigned = strings.TrimPrefix(unsigned, "+")
	}
	mantissa, exponent := unsigned, 0
	if i := strings.IndexAny(unsigned, "eE"); i >= 0 {
		var err error
		if exponent, err = parseExponent(unsigned[i+1:]); err != nil {
			return "", false
		}
		mantissa = unsigned[:i]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if mantissa == "" || mantissa == "." || strings.Trim(whole+fraction, "0123456789") != "" {
		return "", false
	}
	whole = strings.TrimLeft(whole, "0")
	digits := whole + fraction
	point := len(whole) + exponent // index of the decimal point in digits
	if max(point, len(digits))-min(point, 0) > MaxDigits {
		return "", false
	}
	leading := len(digits) - len(strings.TrimLeft(digits, "0"))
	digits, point = digits[leading:], point-leading
	digits = strings.TrimRight(digits, "0")
	switch {
	case digits == "":
		return "0", true
	case point <= 0:
		return sign + "0." + strings.Repeat("0", -point) + digits, true
	case point >= len(digits):
		return sign + digits + strings.Repeat("0", point-len(digits)), true
	}
	return sign + digits[:point] + "." + digits[point:], true
}

// parseExponent parses an exponent. An exponent that is too large for MaxDigits is returned as a large number.
func parseExponent(text string) (int, error) {
	const large = 1 << 30
	digits := strings.TrimLeft(text, "+-")
	if len(text)-len(digits) > 1 || digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, strconv.ErrSyntax
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n > large {
		n = large
	}
	if text[0] == '-' {
		n = -n
	}
	return n, nil
}

const (
	surelyHeld = 15      // significant digits that a float64 keeps exactly
	largestInt = 1 << 53 // above it, a float64 cannot represent all whole numbers
)

// ExactFloat returns a decimal number as a float64, and whether every reader gets the same value from it. This is so if the
// shortest text of the float64 has the value of the original text, and if it is not above 2^53. It is true for 0.1, and false
// for 0.1000000000000000055 and for 2^53+1.
func ExactFloat(number []byte) (float64, bool) {
	f, err := strconv.ParseFloat(string(number), 64)
	if err != nil || math.IsNaN(f) || math.Abs(f) > largestInt {
		return f, false
	}
	if len(number) <= surelyHeld && !bytes.ContainsAny(number, "eE") {
		return f, true
	}
	text, ok := Plain(string(number))
	if !ok {
		return f, false
	}
	shortest, ok := Plain(strconv.FormatFloat(f, 'g', -1, 64))
	return f, ok && text == shortest
}
