package geo

import "onemap/internal/fault"

// The error codes of division codes.
const (
	CodeNoDivision fault.Code = `no-division: "{value}" is no division code`
)
