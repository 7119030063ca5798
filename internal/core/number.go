package core

import (
	"bytes"
	"math"
	"strconv"
	"strings"
)

// MaxDigits bounds a decimal number of a feature, written without an exponent: 1e400 has 401 digits. It is more than a
// float64 ever needs, and keeps 1e100000 from growing to 100,001 characters wherever it is read.
const MaxDigits = 1100

// Plain writes a decimal number as JSON has it (also with a plus sign, without digits before or after the point) without
// an exponent and without zeros that say nothing: 1e3 is 1000, 1.10 is 1.1, -0 is 0. Two numbers have the same value
// exactly when Plain writes them alike. False: it is no decimal number, or takes more than MaxDigits digits.
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
	point := len(whole) + exponent // where the point stands in the digits
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

// parseExponent reads an exponent; one that no number of MaxDigits has is a large one.
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
	surelyHeld = 15      // significant digits that every float64 of an ordinary size keeps
	largestInt = 1 << 53 // beyond it a float64 leaves out whole numbers
)

// ExactFloat is a decimal number as a float64, and whether that has its value for every reader: the shortest writing of it
// has the value of the text, and it is not beyond 2^53. So it is of 0.1, and not of 0.1000000000000000055 or of 2^53+1.
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
