package core

// The states of a Finding.
const (
	FindingOK   = "ok"
	FindingWarn = "warn" // works, but may lose data or stop under some conditions
	FindingBad  = "bad"  // loses acknowledged data, or does not work
)

// Finding is the result of one check of the environment, by `onemap doctor`.
type Finding struct {
	Check  string `json:"check"` // what was checked, such as "broker queue"
	State  string `json:"state"`
	Found  string `json:"found"`
	Advice string `json:"advice,omitempty"` // how to correct it; empty: nothing to do
}
