package fault

// The codes that every domain uses.
const (
	CodeOther        Code = "other: {error}"
	CodeMoreFaults   Code = "more-faults: and {n} more"
	CodeRequired     Code = "required: is required"
	CodeNotEmpty     Code = "not-empty: must not be empty"
	CodeTooLong      Code = "too-long: is longer than {limit} characters"
	CodeOutOfRange   Code = "out-of-range: {value} is outside {from} to {to}"
	CodeNeitherOf    Code = `neither-of: must be "{one}" or "{other}"`
	CodeBelowZero    Code = "below-zero: is negative"
	CodeNotFinite    Code = "not-finite: must be a finite number"
	CodeNameLine     Code = "name-line: must be a line of at most {limit} characters"
	CodeAwayNow      Code = "away-now: a part of the server is away now; try again"
	CodePartStarting Code = "part-starting: starting"
	CodePartStopping Code = "part-stopping: stopping"
)
