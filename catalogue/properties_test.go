package catalogue_test

import (
	"encoding/json"
	"testing"

	"onemap/catalogue"
)

// What is read and written again has the digits that it had.
func TestPropertiesKeepEveryDigit(t *testing.T) {
	const text = `{"account":370602199001011238,"big":123456789012345678901234567890,"long":0.12345678901234567890123,"small":[1.10,-7,{"deep":9007199254740993}],` +
		`"plain":3.5,"text":"370602199001011238","whole":7,"yes":true,"zero":null}`
	var p catalogue.Properties
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	if p["plain"] != 3.5 || p["whole"] != 7.0 {
		t.Errorf("numbers that a float64 holds: %T %T", p["plain"], p["whole"])
	}
	var back map[string]json.RawMessage
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"account": "370602199001011238", "big": "123456789012345678901234567890", "long": "0.12345678901234567890123",
		"small": `[1.10,-7,{"deep":9007199254740993}]`, "plain": "3.5", "whole": "7", "text": `"370602199001011238"`,
	} {
		if string(back[name]) != want {
			t.Errorf("%s: %s, want %s", name, back[name], want)
		}
	}
	if err := json.Unmarshal([]byte(`[1]`), &p); err == nil {
		t.Error("a list is no object")
	}
}
