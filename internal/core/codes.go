package core

import "onemap/internal/fault"

// The codes of permissions and of the tile rules.
const (
	CodeRoleMayNot      fault.Code = "role-may-not: the role {role} does not have the permission {permission}"
	CodeDivisionOutside fault.Code = "division-outside: the division {value} lies outside your own, {own}"
	CodeCityWideOnly    fault.Code = "city-wide-only: this is for the city, and your division is {own}"
	CodeCellSize        fault.Code = "cell-size: {value} is neither 0 nor a power of two to {limit}"
)
