package cap_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"onemap/alerts/cap"
)

// A message is made, checked and written. In Go an area is lon, lat; on the wire it is "lat,lon".
func ExampleMarshal() {
	sent := time.Date(2026, 11, 1, 8, 0, 0, 0, time.FixedZone("CST", 8*3600))
	m := cap.Message{
		Identifier: "370600-20261101T000000Z-1", Sender: "onemap.yantai", Sent: sent,
		Status: cap.StatusExercise, MsgType: cap.TypeAlert, Scope: cap.ScopePublic,
		Infos: []cap.Info{{
			Language: "zh-CN", Categories: []cap.Category{"Met"}, Event: "洪水", Urgency: cap.UrgencyImmediate,
			Severity: cap.SeverityExtreme, Certainty: cap.CertaintyObserved, Expires: sent.Add(2 * time.Hour),
			Areas: []cap.Area{{Desc: "夹河口", Circles: []cap.Circle{{Centre: orb.Point{121.35, 37.55}, RadiusKM: 3.5}}}},
		}},
	}
	data, err := cap.Marshal(m)
	if err != nil {
		fmt.Println(err)
		return
	}
	for line := range strings.Lines(string(data)) {
		if strings.Contains(line, "circle") || strings.Contains(line, "expires") {
			fmt.Println(strings.TrimSpace(line))
		}
	}
	back, err := cap.Unmarshal(data)
	fmt.Println(back.Infos[0].Event, back.Infos[0].Areas[0].Circles[0].Centre, err)
	// Output:
	// <expires>2026-11-01T10:00:00+08:00</expires>
	// <circle>37.55,121.35 3.5</circle>
	// 洪水 [121.35 37.55] <nil>
}

// Validate names each rule of the standard that a message breaks. Marshal writes nothing that it refuses.
func ExampleValidate() {
	sent := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	m := cap.Message{
		Identifier: "a 1", Sender: "onemap.yantai", Sent: sent, Status: cap.StatusActual, MsgType: cap.TypeUpdate, Scope: cap.ScopeRestricted,
		Infos: []cap.Info{{
			Categories: []cap.Category{"Met"}, Event: "Flood", Urgency: cap.UrgencyExpected, Severity: "Red", Certainty: cap.CertaintyLikely,
			Areas: []cap.Area{{Desc: "Jiahe", Polygons: []orb.Ring{{{121.3, 37.5}, {121.4, 37.5}, {121.4, 37.6}, {121.3, 37.6}}}}},
		}},
	}
	for _, p := range cap.Validate(m) {
		fmt.Println(p.Field + ": " + p.Msg)
	}
	// Output:
	// identifier: must not have spaces, commas, < or &
	// restriction: is missing: the scope is Restricted
	// references: is missing: Update is about earlier messages
	// info[0].severity: "Red" is none of [Extreme Severe Moderate Minor Unknown]
	// info[0].area[0].polygon[0]: is not closed: the last pair must be the first
}
