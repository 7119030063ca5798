package sensors

import (
	"testing"
	"time"
)

// The rows of the table "Data that arrive and are not evaluated" of docs/presence.md, each with its opposite. All datastreams
// have an interval of a minute, and the server has received for an hour, unless a case differs.
func TestJudgeEvaluation(t *testing.T) {
	quarantined := func(first, last int) struct{ First, Last time.Time } {
		return struct{ First, Last time.Time }{sec(first), sec(last)}
	}
	bad := func(since, received int) []BadStream {
		return []BadStream{{IntervalS: 60, Since: sec(since), Received: sec(received)}}
	}
	published := func(reason string) UnevaluatedState { return UnevaluatedState{reason, sec(60)} }
	for _, c := range []struct {
		name      string
		facts     EvaluationFacts
		now       int
		listening int // 0: an hour before
		want      UnevaluatedState
		changed   bool
	}{
		{"late", EvaluationFacts{Evaluated: sec(0), LastSeen: sec(170)}, 180, 0, UnevaluatedState{UnevaluatedLate, sec(0)}, true},
		{"not a second before three intervals", EvaluationFacts{Evaluated: sec(0), LastSeen: sec(170)}, 179, 0, UnevaluatedState{}, false},
		{"silent, and so not late", EvaluationFacts{Evaluated: sec(0), LastSeen: sec(10)}, 190, 0, UnevaluatedState{}, false},
		{"nothing since the observation that was evaluated", EvaluationFacts{Evaluated: sec(0), LastSeen: sec(0)}, 180, 0, UnevaluatedState{}, false},
		{"its status only", EvaluationFacts{Evaluated: sec(0), LastSeen: sec(170), StatusAt: sec(170)}, 180, 0, UnevaluatedState{}, false},
		{"a status before an observation that is late", EvaluationFacts{Evaluated: sec(0), LastSeen: sec(170), StatusAt: sec(160)}, 180, 0, UnevaluatedState{UnevaluatedLate, sec(0)}, true},
		{"nothing was ever evaluated or refused", EvaluationFacts{LastSeen: sec(170)}, 180, 0, UnevaluatedState{}, false},
		{"quarantine", EvaluationFacts{Evaluated: sec(0), Quarantined: quarantined(60, 170)}, 180, 0, UnevaluatedState{UnevaluatedQuarantine, sec(0)}, true},
		{"quarantine before late", EvaluationFacts{Evaluated: sec(0), LastSeen: sec(175), Quarantined: quarantined(60, 170)}, 180, 0, UnevaluatedState{UnevaluatedQuarantine, sec(0)}, true},
		{"quarantine, and nothing ever evaluated", EvaluationFacts{Quarantined: quarantined(10, 180)}, 190, 0, UnevaluatedState{UnevaluatedQuarantine, sec(10)}, true},
		{"quarantine for less than three intervals", EvaluationFacts{Quarantined: quarantined(11, 180)}, 190, 0, UnevaluatedState{}, false},
		{"quarantine long ago", EvaluationFacts{Evaluated: sec(0), Quarantined: quarantined(10, 20)}, 200, 0, UnevaluatedState{}, false},
		{"bad", EvaluationFacts{Bad: true, Evaluated: sec(200), BadStreams: bad(20, 200)}, 200, 0, UnevaluatedState{UnevaluatedBad, sec(20)}, true},
		{"the earliest of two that are bad", EvaluationFacts{Bad: true, BadStreams: append(bad(20, 200), bad(10, 200)...)}, 200, 0, UnevaluatedState{UnevaluatedBad, sec(10)}, true},
		{"bad for less than three intervals", EvaluationFacts{Bad: true, BadStreams: bad(21, 200)}, 200, 0, UnevaluatedState{}, false},
		{"bad and silent", EvaluationFacts{Bad: true, BadStreams: bad(0, 20)}, 200, 0, UnevaluatedState{}, false},
		{"bad, with something good between", EvaluationFacts{Bad: true, LastSeen: sec(200)}, 200, 0, UnevaluatedState{}, false},

		{"what was told is not told again", EvaluationFacts{Evaluated: sec(0), LastSeen: sec(290), Published: published(UnevaluatedLate)}, 300, 0, published(UnevaluatedLate), false},
		{"what was told stays though it is silent", EvaluationFacts{Evaluated: sec(0), Published: published(UnevaluatedQuarantine)}, 9000, 0, published(UnevaluatedQuarantine), false},
		{"it ends when an observation is evaluated", EvaluationFacts{Evaluated: sec(600), Published: published(UnevaluatedLate)}, 601, 0, UnevaluatedState{Since: sec(600)}, true},
		{"not while another datastream is bad", EvaluationFacts{Evaluated: sec(600), Bad: true, Published: published(UnevaluatedBad)}, 601, 0, published(UnevaluatedBad), false},
		{"the server could not hear", EvaluationFacts{Evaluated: sec(0), LastSeen: sec(990)}, 1000, 821, UnevaluatedState{}, false},
		{"it can hear for three intervals", EvaluationFacts{Evaluated: sec(0), LastSeen: sec(990)}, 1000, 820, UnevaluatedState{UnevaluatedLate, sec(0)}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.facts.ID, c.facts.Enabled, c.facts.IntervalS = "dev", true, 60
			listening := sec(c.now - 3600)
			if c.listening != 0 {
				listening = sec(c.listening)
			}
			if state, changed := JudgeEvaluation(c.facts, sec(c.now), listening); state != c.want || changed != c.changed {
				t.Errorf("it is %+v, changed %v", state, changed)
			}
			c.facts.Enabled = false
			if state, changed := JudgeEvaluation(c.facts, sec(c.now), listening); changed && state.Reason != "" {
				t.Errorf("a device that is disabled is told: %+v", state)
			}
		})
	}
}
