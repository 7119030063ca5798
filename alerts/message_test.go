package alerts

import (
	"flag"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geo"
	"github.com/paulmach/orb/planar"

	"onemap/alerts/cap"
	"onemap/internal/core"
)

var update = flag.Bool("update", false, "write the golden files anew")

// messages returns a message of every occasion.
func messages(t *testing.T) map[string]Message {
	t.Helper()
	sent := time.Date(2026, 11, 23, 6, 58, 1, 0, time.UTC)
	g, rule := target(7, "ytj-0007", "water_level"), goodRule()
	issuer := Issuer{Sender: "onemap.yantai", Unit: Options{}.withDefaults().Unit, CityCode: "3706"}
	alert := Alert{
		RuleID: 1, DatastreamID: 7, DeviceID: "ytj-0007", DeviceName: g.Device.Name, Hazard: "flood", HazardName: g.Hazard.Title,
		Property: "water_level", PropertyName: g.Type.Title, Symbol: "m", Level: core.Red, Detection: Firing,
		Division: "370602001", Divisions: addressed("370602001"), Area: circle(orb.Point{121.39, 37.54}, 3000),
		PeakLevel: core.Red, PeakValue: 4.71, PeakAt: sent.Add(10 * time.Minute),
		Onset: sent.Add(-2500 * time.Millisecond), Value: 4.62, ValueAt: sent.Add(-2500 * time.Millisecond), Threshold: 4.5,
		Direction: Above, Origin: core.OriginSynthetic, Identifier: "370600-20261123T065801Z-5d0c2f9a71b3-1", Expires: sent.Add(2 * time.Hour),
	}
	first := issue{why: begun, alert: alert, rule: &rule, target: &g, sent: sent}
	refs := []Message{{Identifier: alert.Identifier, Sent: sent}}
	next := func(why occasion, before core.Level, change func(*Alert)) issue {
		is := first
		is.why, is.before, is.refs, is.sent = why, before, refs, sent.Add(time.Hour)
		is.alert.Identifier, _ = nextIdentifier(alert.Identifier)
		is.alert.Expires = sent.Add(3 * time.Hour)
		change(&is.alert)
		return is
	}
	gone := next(withdrawn, core.Red, func(a *Alert) { a.Detection, a.Origin = Cleared, core.OriginReal })
	gone.rule, gone.target = nil, nil
	out := map[string]Message{}
	for name, is := range map[string]issue{
		"issued":    first,
		"rose":      next(rose, core.Yellow, func(*Alert) {}),
		"fell":      next(fell, core.Red, func(a *Alert) { a.Level, a.Threshold, a.Value, a.Detection = core.Orange, 4, 4.1, Recovering }),
		"renewed":   next(renewed, core.Red, func(a *Alert) { a.Detection = Stale }),
		"cleared":   next(ended, core.Red, func(a *Alert) { a.Detection, a.Level, a.Value = Cleared, core.Blue, 2.5 }),
		"withdrawn": gone,
	} {
		decimals := 2
		is.alert.Headline = issuer.headline(is.alert, is.why, decimals)
		m, err := issuer.write(is)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out[name] = m
	}
	return out
}

func TestPapers(t *testing.T) {
	var files []string
	for name, m := range messages(t) {
		path := filepath.Join("testdata", name+".xml")
		files = append(files, path)
		if *update {
			if err := os.WriteFile(path, m.XML, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(m.XML)); diff != "" {
			t.Errorf("%s (run with -update to accept):\n%s", path, diff)
		}
		doc, err := cap.Unmarshal(m.XML)
		if err != nil {
			t.Fatal(err)
		}
		if err := cap.Check(doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if xsd := os.Getenv("ONEMAP_CAP_XSD"); xsd != "" {
		args := append([]string{"--noout", "--nonet", "--schema", xsd}, files...)
		if out, err := exec.CommandContext(t.Context(), "xmllint", args...).CombinedOutput(); err != nil {
			t.Errorf("xmllint: %v\n%s", err, out)
		}
	}
}

func TestPapersSayWhatTheyMust(t *testing.T) {
	all := messages(t)
	for name, wants := range map[string][]string{
		"issued": {"<status>Test</status>", "<msgType>Alert</msgType>", "模拟数据", "<headline>烟台市应急管理局监测告警：洪水红色（演示-ytj-0007水位 4.62 m）</headline>", "<scope>Restricted</scope>",
			"<event>洪水监测告警</event>", "<event>Flood monitoring alarm</event>", "（自动监测）</senderName>", "<category>Safety</category>", "<value>monitoring-alarm</value>", "<severity>Extreme</severity>",
			"<urgency>Immediate</urgency>", "<responseType>Execute</responseType>", "<value>370602</value>", "monitoring alarm: Flood, red (Demo ytj-0007", "<onset>2026-11-23T14:57:58+08:00</onset>",
			"2026年11月23日 14:57:58（北京时间）", "4.62 m", "远离河道"},
		"rose":    {"<msgType>Update</msgType>", "onemap.yantai,370600-20261123T065801Z-5d0c2f9a71b3-1,2026-11-23T14:58:01+08:00", "由黄色升级为红色"},
		"fell":    {"<severity>Severe</severity>", "由红色降级为橙色"},
		"renewed": {"续发", "<certainty>Likely</certainty>", "数据已中断"},
		"cleared": {"<msgType>Update</msgType>", "<responseType>AllClear</responseType>", "<urgency>Past</urgency>", "<severity>Minor</severity>", "监测告警解除：洪水，最高红色（演示-ytj-0007水位 4.71 m，11月23日 15:08）",
			"monitoring alarm over: Flood, peak red (Demo ytj-0007, water level 4.71 m at 15:08 on 23 Nov)", "最不利读数 4.71 m", "<value>2026-11-23T15:08:01+08:00</value>", "解除值 2.70 m"},
		"withdrawn": {"<status>Actual</status>", "<category>Other</category>", "不表示险情已经解除", "监测告警撤销：洪水", "<responseType>Assess</responseType>", "<certainty>Unknown</certainty>"},
	} {
		for _, w := range wants {
			if !strings.Contains(string(all[name].XML), w) {
				t.Errorf("%s does not say %q:\n%s", name, w, all[name].XML)
			}
		}
	}
	for name, m := range all { // 气象法 art. 22
		said := strings.ReplaceAll(string(m.XML), "不是预警信号", "")
		if strings.Contains(said, "预警") || strings.Contains(said, "发布洪水") || strings.Contains(strings.ReplaceAll(said, "no public warning", ""), "warning") {
			t.Errorf("%s calls itself a warning:\n%s", name, m.XML)
		}
	}
	if strings.Contains(string(all["withdrawn"].XML), "模拟") {
		t.Error("real data are called simulated")
	}
}

// TestPapersCarryAnything: whatever the registry holds, a message can be written.
func TestPapersCarryAnything(t *testing.T) {
	s := newCity([]Rule{floodRule()})
	g := &s.targets[0]
	g.Device.Name, g.Hazard.Title, g.Type.Title = core.Text{}, core.Text{EN: "\x00\ufffe"}, core.Text{ZH: "a<b&\xff"}
	g.Hazard.CAPCategory, g.Hazard.RadiusM, g.Hazard.LeadMinutes, g.Device.Division = "Water", 0, 0, ""
	now := time.Date(2026, 11, 23, 6, 58, 1, 999, time.UTC)
	w := &worker{store: s, limit: 64, now: now}
	o := reading(5)
	o.Time = now.Add(5 * time.Hour) // the device's clock runs ahead
	s.commit(now, o)
	if err := w.pass(true); err != nil {
		t.Fatal(err)
	}
	w.now = now.Add(-time.Minute) // so does the last leader's
	o.Time, o.Value = o.Time.Add(time.Second), 1
	s.commit(now, o)
	if err := w.pass(true); err != nil {
		t.Fatal(err)
	}
	if len(s.messages) != 2 {
		t.Fatalf("%d messages", len(s.messages))
	}
	for _, bad := range s.wrong() {
		t.Error(bad)
	}
}

func TestIdentifiers(t *testing.T) {
	i, seen := Issuer{CityCode: "3706"}, map[string]bool{}
	for range 1000 {
		id := i.identifier(time.Unix(0, 0))
		if seen[id] || !strings.HasPrefix(id, "370600-19700101T000000Z-") || strings.ContainsAny(id, " ,<&") {
			t.Fatal(id)
		}
		seen[id] = true
		if next, ok := nextIdentifier(id); !ok || next != strings.TrimSuffix(id, "-1")+"-2" {
			t.Fatal(next)
		}
	}
	for _, bad := range []string{"", "a", "a-b", "a-0", "a--"} {
		if next, ok := nextIdentifier(bad); ok {
			t.Errorf("%q is followed by %q", bad, next)
		}
	}
}

func TestCircle(t *testing.T) {
	centre := orb.Point{121.39, 37.54}
	ring := circle(centre, 3000)[0]
	if len(ring) != areaCorners+1 || ring[0] != ring[areaCorners] || ring.Orientation() != orb.CCW {
		t.Fatalf("%d corners, closed %v, orientation %v", len(ring), ring[0] == ring[len(ring)-1], ring.Orientation())
	}
	for _, p := range ring {
		if d := geo.DistanceHaversine(centre, p); math.Abs(d-3000) > 1 {
			t.Errorf("%v is %f m away", p, d)
		}
	}
	if !planar.RingContains(ring, centre) {
		t.Error("the device is not in its area")
	}
	for _, r := range []float64{0, -5, math.NaN(), math.Inf(1)} {
		if d := geo.DistanceHaversine(centre, circle(centre, r)[0][0]); math.Abs(d-defaultRadius) > 1 {
			t.Errorf("radius %v gives %f m", r, d)
		}
	}
}

func TestAddressed(t *testing.T) {
	for division, want := range map[string][]string{
		"370602": {"370602"}, "370602001": {"370602"}, "3706": {"3706"}, "": {},
	} {
		if diff := cmp.Diff(want, addressed(division)); diff != "" {
			t.Errorf("%s: %s", division, diff)
		}
	}
}
