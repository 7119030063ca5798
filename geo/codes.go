package geo

import "onemap/internal/fault"

// The codes of divisions.
const (
	CodeNoDivision fault.Code = `no-division: "{value}" is no division code`
)
