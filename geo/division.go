package geo

import (
	"strings"

	"onemap/internal/fault"
)

// DivisionLevel is the level of an administrative division. A deeper level has a greater number.
type DivisionLevel int

// The levels of GB/T 2260 and, below the county, of GB/T 10114 and the bureau of statistics.
const (
	LevelProvince   DivisionLevel = iota + 1 // 2 digits: 37
	LevelPrefecture                          // 4: 3706
	LevelCounty                              // 6: 370602
	LevelTown                                // 9: 370602001
	LevelVillage                             // 12: 370602001001
)

// digits returns the number of digits of an unpadded code of the level.
func (l DivisionLevel) digits() int {
	switch l {
	case LevelProvince:
		return 2
	case LevelPrefecture:
		return 4
	case LevelCounty:
		return 6
	case LevelTown:
		return 9
	default:
		return 12
	}
}

// provinces are the two-digit codes of GB/T 2260, separated by spaces.
const provinces = " 11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 71 81 82 "

// ParseDivision parses a division code with padding zeros ("370602000000", "370600") or without ("370602", "3706"), and
// returns it unpadded: 2, 4, 6, 9 or 12 digits. It ignores spaces around the code. It returns fault.Invalid with the
// reason if the code is wrong.
//
// A town directly under a prefecture without counties (441900003) keeps the two zeros of the missing county.
func ParseDivision(s string) (string, error) {
	code := strings.TrimSpace(s)
	switch len(code) {
	case 2, 4, 6, 9, 12:
	default:
		return "", divisionError(s, "has 2, 4, 6, 9 or 12 digits")
	}
	if strings.Trim(code, "0123456789") != "" {
		return "", divisionError(s, "has digits only")
	}
	if !strings.Contains(provinces, " "+code[:2]+" ") {
		return "", divisionError(s, "begins with a province's two digits")
	}
	code = unpad(code)
	if len(code) > 4 && code[2:4] == "00" {
		return "", divisionError(s, "names a prefecture above its county")
	}
	if len(code) == 12 && code[6:9] == "000" {
		return "", divisionError(s, "names a town above its village")
	}
	return code, nil
}

// divisionError returns the error for a wrong code. It repeats the text, cut to 32 bytes. want states the rule that the
// text breaks.
func divisionError(s, want string) error {
	if len(s) > 32 {
		s = s[:32] + "…"
	}
	e := fault.InvalidField("division", "%q is no division code: one %s", s, want)
	e.Message = fault.NewMessage(CodeNoDivision, s)
	return e
}

// unpad removes the groups of zeros at the end of a code, from the deepest level to the province.
func unpad(code string) string {
	for _, l := range []DivisionLevel{LevelTown, LevelCounty, LevelPrefecture, LevelProvince} {
		if n := l.digits(); len(code) > n && strings.Trim(code[n:], "0") == "" {
			code = code[:n]
		}
	}
	return code
}

// PadDivision returns an unpadded code padded with zeros to twelve digits, the form that statistics and the national
// warning system use.
func PadDivision(code string) string {
	if len(code) >= 12 {
		return code
	}
	return code + strings.Repeat("0", 12-len(code))
}

// LevelOfDivision returns the level of an unpadded code. It returns 0 if the length of the code is not 2, 4, 6, 9 or 12.
func LevelOfDivision(code string) DivisionLevel {
	for l := LevelProvince; l <= LevelVillage; l++ {
		if l.digits() == len(code) {
			return l
		}
	}
	return 0
}

// ParentDivision returns the unpadded code of the division one level above. It returns "" for a province and for a text
// of another length.
func ParentDivision(code string) string {
	l := LevelOfDivision(code)
	if l <= LevelProvince {
		return ""
	}
	return unpad(code[:(l - 1).digits()])
}

// CountyOfDivision returns the six-digit code of the county that contains the division. It returns "" if the division is
// larger than a county.
func CountyOfDivision(code string) string {
	if len(code) < LevelCounty.digits() {
		return ""
	}
	return code[:LevelCounty.digits()]
}
