package core

import "onemap/internal/fault"

// The codes of the rules of tiles.
const (
	CodeCellSize fault.Code = "cell-size: {value} is neither 0 nor a power of two to {limit}"
)
