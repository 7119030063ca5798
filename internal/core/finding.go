package core

// The states of a Finding.
const (
	FindingOK   = "ok"
	FindingWarn = "warn" // works, and loses or stops under circumstances
	FindingBad  = "bad"  // loses what was acknowledged, or does not work
)

// Finding is what a check of the surroundings has found.
type Finding struct {
	Check  string `json:"check"` // what was looked at, as "broker queue"
	State  string `json:"state"`
	Found  string `json:"found"`
	Advice string `json:"advice,omitempty"` // what to do; empty when nothing is
}
