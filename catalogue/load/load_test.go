package load_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"onemap/catalogue"
	"onemap/catalogue/load"
	"onemap/internal/core"
	"onemap/internal/fault"
)

// readAll returns all records and refusals of a file.
func readAll(text string, o load.Options) (records []catalogue.Record, refusals []catalogue.Refusal, err error) {
	r, err := load.Open(strings.NewReader(text), o)
	if err != nil {
		return nil, nil, err
	}
	for {
		record, refusal, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return records, refusals, nil
		case err != nil:
			if _, _, again := r.Next(); again == nil || again.Error() != err.Error() {
				return records, refusals, fmt.Errorf("after %w the reader says %w", err, again)
			}
			return records, refusals, err
		case refusal != nil:
			refusals = append(refusals, *refusal)
		default:
			records = append(records, record)
		}
	}
}

// outcome returns the result in one line.
func outcome(records []catalogue.Record, refusals []catalogue.Refusal, err error) string {
	var b strings.Builder
	for _, r := range records {
		fmt.Fprintf(&b, "%d:%s ", r.Line, r.Feature.Key)
	}
	for _, r := range refusals {
		fmt.Fprintf(&b, "refused %d:%s: %s ", r.Line, r.Key, r.Reason)
	}
	if err != nil {
		fmt.Fprintf(&b, "error %v", err)
	}
	return strings.TrimSpace(b.String())
}

func one(t *testing.T, text string, o load.Options) catalogue.Feature {
	t.Helper()
	records, refusals, err := readAll(text, o)
	if err != nil || len(refusals) != 0 || len(records) != 1 {
		t.Fatalf("%s\ngives %s", text, outcome(records, refusals, err))
	}
	return records[0].Feature
}

func TestOptionsAreChecked(t *testing.T) {
	for field, o := range map[string]load.Options{
		"format": {Format: "shp"}, "encoding": {Encoding: "latin1"}, "frame": {Frame: "epsg:2433"}, "origin": {Origin: "guess"},
	} {
		var e *fault.Error
		if _, err := load.Open(strings.NewReader("{}"), o); !errors.As(err, &e) || e.Field != field || e.Kind != fault.Invalid {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestRoles(t *testing.T) {
	point := `"type":"Feature","geometry":{"type":"Point","coordinates":[121.4,37.5]}`
	by := load.Options{KeyField: "nr", NameField: "bez", NameENField: "label", LevelField: "farbe", DivisionField: "ort", Origin: core.OriginSchematic, Source: "hand"}
	f := one(t, `{`+point+`,"id":7,"properties":{"nr":"a-1","bez":"甲","label":"A","farbe":"橙色","ort":"370602000000","name":"other"}}`, by)
	if f.Key != "a-1" || f.Name != (core.Text{ZH: "甲", EN: "A"}) || f.Level != core.Orange || f.Division != "370602" || f.Origin != core.OriginSchematic || f.Source != "hand" {
		t.Errorf("by options: %+v", f)
	}
	f = one(t, `{`+point+`,"id":7,"properties":{"code":"c","name":"Yi","等级":"一般风险","adcode":370602}}`, load.Options{})
	if f.Key != "7" || f.Name != (core.Text{ZH: "Yi"}) || f.Level != core.Yellow || f.Division != "370602" || f.Origin != core.OriginReal {
		t.Errorf("by usual names: %+v", f)
	}
	f = one(t, `{`+point+`,"properties":{"code":123456789012345678,"name_en":"only","level":null}}`, load.Options{
		Division: func(lon, lat float64) string { return fmt.Sprintf("%.1f/%.1f", lon, lat) }})
	if f.Key != "123456789012345678" || f.Name != (core.Text{ZH: "only", EN: "only"}) || f.Level != core.None || f.Division != "121.4/37.5" {
		t.Errorf("by fallbacks: %+v", f)
	}
	f = one(t, `{`+point+`,"properties":{"level":"county","name":"n"}}`, load.Options{LevelField: load.NoField, NameField: load.NoField, KeyField: load.NoField})
	if f.Level != core.None || f.Name.ZH != "" || !strings.HasPrefix(f.Key, "sha256-") {
		t.Errorf("without roles: %+v", f)
	}
}

// An import keeps every digit. Levels and keys are read from numbers in any form.
func TestNumbersKeepTheirDigits(t *testing.T) {
	f := one(t, `{"type":"Feature","geometry":{"type":"Point","coordinates":[121.4,37.5]},"properties":{"code":3706021990010112.0,"level":2.0,`+
		`"reg":370602199001011238,"depth":0.12345678901234567890123,"rate":1.10}}`, load.Options{})
	raw, err := json.Marshal(f.Properties)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"reg":370602199001011238`, `"depth":0.12345678901234567890123`, `"rate":1.10`} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("%s is not in %s", want, raw)
		}
	}
	if f.Level != core.Orange || f.Key != "3706021990010112" {
		t.Errorf("level %v, key %q", f.Level, f.Key)
	}
}

func TestContentKeysAreStable(t *testing.T) {
	text := `{"type":"Feature","properties":%s,"geometry":{"type":"Point","coordinates":[%s]}}`
	a := one(t, fmt.Sprintf(text, `{"a":1,"b":"x"}`, "121.4,37.5"), load.Options{})
	b := one(t, fmt.Sprintf(text, ` { "b":"x", "a":1.0 } `, "1.214e2, 37.50"), load.Options{})
	c := one(t, fmt.Sprintf(text, `{"a":2,"b":"x"}`, "121.4,37.5"), load.Options{})
	if a.Key != b.Key || a.Key == c.Key {
		t.Errorf("%q, %q, %q", a.Key, b.Key, c.Key)
	}
}

func TestLevels(t *testing.T) {
	for word, want := range map[string]core.Level{
		"red": core.Red, "RED": core.Red, "红": core.Red, "红色": core.Red, "1": core.Red, "Ⅰ级": core.Red, "重大风险": core.Red,
		"橙": core.Orange, "II": core.Orange, "较大": core.Orange, "黄色": core.Yellow, "三级": core.Yellow, "一般": core.Yellow,
		"blue": core.Blue, "低风险": core.Blue, "iv": core.Blue, "": core.None, "0": core.None, "无": core.None,
	} {
		f := one(t, "lon,lat,grade\n121,37,"+word+"\n", load.Options{})
		if f.Level != want {
			t.Errorf("%q is %v, not %v", word, f.Level, want)
		}
	}
	if f := one(t, "lon,lat,grade\n121,37,purple\n", load.Options{}); f.Level != core.None || f.Properties["grade"] != "purple" {
		t.Errorf("a word that is none: %+v", f)
	}
}
