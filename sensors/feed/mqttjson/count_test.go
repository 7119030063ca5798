package mqttjson

import (
	"testing"

	"pgregory.net/rapid"
)

// The count of a payload is the number of its readings, and never less than the number of decoded ones.
func TestCount(t *testing.T) {
	for payload, want := range map[string]int{
		``: 0, `{}`: 0, `online`: 0, `{"v":{}}`: 0, `{"v":{"level":1}}`: 1, `{ "t" : "2026-07-01T08:00:00Z" , "v" : { "level" : 1 , "rain" : 2 } }`: 2,
		`[{"v":{"level":1}},{"v":{"level":2,"a:b{\"}":3}}]`: 3, `{"v":{"a\\":1,"b":2}}`: 2, `"`: 0, `\`: 0,
	} {
		if got := Count([]byte(payload)); got != want {
			t.Errorf("%s: %d, want %d", payload, got, want)
		}
	}
	k := gauge(t)
	rapid.Check(t, func(rt *rapid.T) {
		payload := []byte(rapid.StringMatching(`\[?(\{"t":"2026-07-01T08:00:0[0-9]Z","v":\{"level":[0-9]+(,"rain":"?[0-9]"?)?\}\}[,\]]?){0,4}`).Draw(rt, "payload"))
		obs, _ := decode(string(payload), k)
		if n := Count(payload); n < len(obs) || n > len(payload) {
			rt.Errorf("%s: counted %d of %d", payload, n, len(obs))
		}
	})
}
