package core_test

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"onemap/internal/core"
)

func TestPlain(t *testing.T) {
	for number, want := range map[string]string{
		"0": "0", "-0": "0", "-0.00": "0", "7": "7", "-7": "-7", "+7": "7", "0e-9": "0", "1.10": "1.1", "1.": "1", ".5": "0.5", "00.50": "0.5",
		"1e3": "1000", "1E+3": "1000", "1.5e-7": "0.00000015", "-12.5e1": "-125", "12e-1": "1.2", "370602199001011238": "370602199001011238",
		"0.1000000000000000055": "0.1000000000000000055", "1e400": "1" + strings.Repeat("0", 400), "5e-324": "0." + strings.Repeat("0", 323) + "5",
		"12345678901234567890.0": "12345678901234567890",
	} {
		if got, ok := core.Plain(number); !ok || got != want {
			t.Errorf("%s: %q %v, want %q", number, got, ok, want)
		}
	}
	for _, number := range []string{
		"", "-", "+", ".", "e5", "1e", "1e+", "1e+-5", "--1", "+-1", "-+1", "1.2.3", "0x1p3", "1_000", "NaN", "Infinity", "1,5", " 1", "１", "1e1100", "0e999999999999", "0." + strings.Repeat("0", core.MaxDigits+1), "1e99999999999999999999", "1e-1200",
		strings.Repeat("9", core.MaxDigits+1),
	} {
		if got, ok := core.Plain(number); ok {
			t.Errorf("%q is %q", number, got)
		}
	}
}

// decimal draws the text of a number in the syntax of JSON.
func decimal(t *rapid.T) string {
	text := rapid.StringMatching(`-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?`).Draw(t, "number")
	if rapid.Bool().Draw(t, "has an exponent") {
		text += "e" + strconv.Itoa(rapid.IntRange(-400, 400).Draw(t, "exponent"))
	}
	return text
}

func rational(t *rapid.T, text string) *big.Rat {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("%q is no number", text)
	}
	return r
}

func TestPlainKeepsTheValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := decimal(t)
		plain, ok := core.Plain(number)
		if !ok || rational(t, plain).Cmp(rational(t, number)) != 0 || strings.ContainsAny(plain, "eE+") {
			t.Fatalf("%s: %q %v", number, plain, ok)
		}
		if again, ok := core.Plain(plain); !ok || again != plain {
			t.Fatalf("%s: then %q", plain, again)
		}
	})
}

func TestExactFloat(t *testing.T) {
	for number, want := range map[string]bool{
		"0": true, "-0": true, "0.1": true, "1.10": true, "12.5": true, "9007199254740992": true, "9007199254740993": false, "370602199001011238": false,
		"370602199001011200": false, "1e20": false, "9007199254740992.0": true, "0.1000000000000000055": false, "121.39000000000001": true, "1e400": false, "1e-400": false, "5e-324": true, "1.23456789012345e-320": false,
		"0." + strings.Repeat("0", 400) + "1": false, "x": false, "": false,
	} {
		if f, ok := core.ExactFloat([]byte(number)); ok != want {
			t.Errorf("%s: %g %v", number, f, ok)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		number := decimal(t)
		f, ok := core.ExactFloat([]byte(number))
		same := ok && rational(t, strconv.FormatFloat(f, 'g', -1, 64)).Cmp(rational(t, number)) == 0
		if ok != same {
			t.Fatalf("%s: %g %v", number, f, ok)
		}
		if back, err := strconv.ParseFloat(number, 64); !ok && err == nil && math.Abs(back) <= 1<<53 && rational(t, strconv.FormatFloat(back, 'g', -1, 64)).Cmp(rational(t, number)) == 0 {
			t.Fatalf("%s fits a float64", number)
		}
	})
}

func FuzzPlain(f *testing.F) {
	for _, seed := range []string{"1.10", "-0e5", "+.5", "1e1099", "-1e-1100", "370602199001011238", "1e", "٣"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, number string) {
		plain, ok := core.Plain(number)
		if !ok {
			return
		}
		if again, ok := core.Plain(plain); !ok || again != plain {
			t.Errorf("%q is %q, then %q", number, plain, again)
		}
		if len(plain) > core.MaxDigits+len("-0.") {
			t.Errorf("%q takes %d characters", number, len(plain))
		}
		core.ExactFloat([]byte(number))
	})
}
