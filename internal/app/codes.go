package app

import "onemap/internal/fault"

// The codes of the server as a whole.
const (
	CodePartSilent fault.Code = "part-silent: does not answer"
)
