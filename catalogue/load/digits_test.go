package load_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"onemap/catalogue"
	"onemap/catalogue/load"
)

// All digits of a number are kept, both in a cell of a table and in a property of GeoJSON.
func TestEveryDigitArrives(t *testing.T) {
	for number, want := range map[string]any{
		"7": 7.0, "1.5": 1.5, "1.10": json.Number("1.10"), "370602199001011238": json.Number("370602199001011238"), "0.1000000000000000055": json.Number("0.1000000000000000055"),
		"12345678901234567890": json.Number("12345678901234567890"), "-9007199254740993": json.Number("-9007199254740993"), "1e400": json.Number("1e400"), "1e3": json.Number("1e3"),
	} {
		f := one(t, fmt.Sprintf(`{"type":"Feature","id":"a","properties":{"n":%s,"deep":[{"n":%s}]},"geometry":{"type":"Point","coordinates":[121,37]}}`, number, number), load.Options{})
		if deep := f.Properties["deep"].([]any)[0].(map[string]any)["n"]; f.Properties["n"] != want || deep != want {
			t.Errorf("GeoJSON %s: %#v, in a list %#v, want %#v", number, f.Properties["n"], deep, want)
		}
		o := load.Options{Fields: []catalogue.Field{{Name: "n", Type: "number"}}}
		if f := one(t, "lon,lat,n,text\n121,37,"+number+","+number+"\n", o); f.Properties["n"] != want || f.Properties["text"] != number {
			t.Errorf("CSV %s: %#v, want %#v; as a text %#v", number, f.Properties["n"], want, f.Properties["text"])
		}
	}
	for cell, want := range map[string]any{"+5": 5.0, ".5": 0.5, "007": 7.0, "+12345678901234567890": json.Number("12345678901234567890"), "12.0": json.Number("12.0")} {
		o := load.Options{Fields: []catalogue.Field{{Name: "n", Type: "number"}}}
		if f := one(t, "lon,lat,n\n121,37,"+cell+"\n", o); f.Properties["n"] != want {
			t.Errorf("the cell %s: %#v, want %#v", cell, f.Properties["n"], want)
		}
	}
	o := load.Options{Fields: []catalogue.Field{{Name: "n", Type: "integer"}}}
	if f := one(t, "lon,lat,n\n121,37,12345678901234567890\n", o); f.Properties["n"] != json.Number("12345678901234567890") {
		t.Errorf("an integer of 20 digits: %#v", f.Properties["n"])
	}
}

// Keys from the content of features differ if long numbers differ, and are equal if only the form of the numbers
// differs.
func TestKeysOfLongNumbers(t *testing.T) {
	feature := func(properties string) string {
		return `{"type":"Feature","properties":{` + properties + `},"geometry":{"type":"Point","coordinates":[121,37]}}`
	}
	for a, b := range map[string]string{
		`"id":370602199001011237`: `"id":370602199001011238`, `"id":370602199001011237.5`: `"id":370602199001011238.5`,
		`"x":370602199001011237`: `"x":370602199001011238`, `"x":0.10000000000000000551`: `"x":0.10000000000000000552`, `"x":1e400`: `"x":1e401`,
	} {
		if one(t, feature(a), load.Options{}).Key == one(t, feature(b), load.Options{}).Key {
			t.Errorf("%s and %s have one key", a, b)
		}
	}
	for a, b := range map[string]string{
		`"id":12`: `"id":12.0`, `"id":12345678901234567890`: `"id":12345678901234567890.00`, `"x":1e3`: `"x":1000`, `"x":[1.10]`: `"x":[1.1]`,
		`"x":12345678901234567890`: `"x":1.2345678901234567890e19`,
	} {
		if x, y := one(t, feature(a), load.Options{}).Key, one(t, feature(b), load.Options{}).Key; x != y {
			t.Errorf("%s has the key %s, %s %s", a, x, b, y)
		}
	}
	if key := one(t, feature(`"id":370602199001011238`), load.Options{}).Key; key != "370602199001011238" {
		t.Errorf("the key is %s", key)
	}
}
