package catalogue_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"onemap/catalogue"
	"onemap/internal/fault"
)

// ponds is a fragment that uses every member.
const ponds = `{
	"from": 8,
	"legend": [
		{"swatch": "fill", "color": "water", "outline": "coast", "text": {"zh": "塘坝", "en": "Ponds"}},
		{"icon": "res:port", "text": {"zh": "码头", "en": ""}},
		{"levels": "icon", "icon": "risk"}, {"levels": "swatch"}, {"note": {"zh": "", "en": "from the survey of 2025"}}
	],
	"layers": [
		{"id": "-fill", "slot": "areas", "type": "fill", "filter": ["has", "depth"],
			"paint": {"fill-color": {"$token": "water"}, "fill-opacity": {"$opacity": 0.4}, "fill-pattern": {"$icon": "hatch"}}},
		{"id": "-line", "slot": "areas", "type": "line", "minzoom": 9.5, "layout": {"line-join": "round"},
			"paint": {"line-color": ["match", ["get", "level"], 1, {"$token": "levels.1"}, "#888888"], "line-width": {"$scale": 1.5}, "line-dasharray": [4, 3]}},
		{"id": "-name", "slot": "names", "type": "symbol", "labels": true,
			"layout": {"text-field": {"$name": true}, "text-font": ["Noto Sans SC"], "icon-image": ["concat", {"$icon": "risk:"}, ["to-string", ["get", "level"]]]},
			"paint": {"text-color": {"$token": "label"}}},
		{"id": "-dot", "slot": "points", "type": "circle", "clustered": true, "paint": {"circle-radius": 3}}
	]
}`

func TestParseStyle(t *testing.T) {
	style, err := catalogue.ParseStyle([]byte(ponds))
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := json.Compact(&want, []byte(ponds)); err != nil || want.Len() != len(style) {
		t.Errorf("%d bytes became %d: %s; %v", want.Len(), len(style), style, err)
	}
	again, err := catalogue.ParseStyle(style)
	if err != nil || !bytes.Equal(style, again) {
		t.Errorf("read again it is %s, %v", again, err)
	}
	if !bytes.HasPrefix(style, []byte(`{"from":8,"layers":[{"filter":["has","depth"],"id":"-fill"`)) {
		t.Errorf("the members are not sorted: %s", style)
	}
}

// layer is a fragment of one line layer with members in place of its own.
func layer(members string) string {
	return `{"layers":[{"id":"-line","slot":"lines","type":"line",` + members + `}]}`
}

// withLegend is a fragment with a legend of one row.
func withLegend(row string) string {
	return strings.Replace(layer(`"minzoom":1`), "{", `{"legend":[`+row+`],`, 1)
}

func deep(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

// refusedStyle is a text that is no fragment, the path of its fault and the code.
type refusedStyle struct {
	text, field string
	code        fault.Code
}

const (
	oneLayer  = `{"id":"-line","slot":"lines","type":"line","minzoom":1}`
	plainLine = `{"layers":[` + oneLayer + `]}`
)

// manyLayers are one more than a fragment may have.
func manyLayers() string {
	all := make([]string, catalogue.MaxStyleLayers+1)
	for i := range all {
		all[i] = strings.Replace(oneLayer, "-line", fmt.Sprintf("-line%d", i), 1)
	}
	return strings.Join(all, ",")
}

var refusedForms = map[string]refusedStyle{
	"nothing":                {"", "style", catalogue.CodeStyleJSON},
	"two documents":          {"{} {}", "style", catalogue.CodeStyleJSON},
	"no UTF-8":               {"{\"a\":\"\xff\"}", "style", catalogue.CodeStyleJSON},
	"null":                   {"null", "style", fault.CodeRequired},
	"a list":                 {"[]", "style", catalogue.CodeStyleObject},
	"an unknown member":      {`{"sprite":"x","layers":[]}`, "style.sprite", catalogue.CodeStyleMember},
	"a base":                 {`{"base":true,"layers":[]}`, "style.base", catalogue.CodeStyleMember},
	"a zoom too deep":        {`{"from":25,"layers":[]}`, "style.from", fault.CodeOutOfRange},
	"a zoom as a text":       {`{"from":"8","layers":[]}`, "style.from", catalogue.CodeStyleNumber},
	"no layers":              {`{}`, "style.layers", fault.CodeRequired},
	"an empty list":          {`{"layers":[]}`, "style.layers", catalogue.CodeStyleCount},
	"too many layers":        {`{"layers":[` + manyLayers() + `]}`, "style.layers", catalogue.CodeStyleCount},
	"a layer that is a text": {`{"layers":["x"]}`, "style.layers[0]", catalogue.CodeStyleObject},
	"no id":                  {`{"layers":[{}]}`, "style.layers[0].id", fault.CodeRequired},
	"an id without a hyphen": {`{"layers":[{"id":"sea"}]}`, "style.layers[0].id", catalogue.CodeStyleID},
	"a long id":              {`{"layers":[{"id":"-` + strings.Repeat("a", catalogue.MaxStyleSuffix+1) + `"}]}`, "style.layers[0].id", catalogue.CodeStyleID},
	"an id twice":            {`{"layers":[` + oneLayer + `,` + oneLayer + `]}`, "style.layers[1].id", catalogue.CodeNamedTwice},
	"an unknown slot":        {strings.Replace(plainLine, `"lines"`, `"top"`, 1), "style.layers[0].slot", catalogue.CodeStyleWord},
	"an unknown type":        {strings.Replace(plainLine, `"type":"line"`, `"type":"raster"`, 1), "style.layers[0].type", catalogue.CodeStyleWord},
	"a source of its own":    {layer(`"source":"x"`), "style.layers[0].source", catalogue.CodeStyleMember},
	"labels that are false":  {layer(`"labels":false`), "style.layers[0].labels", catalogue.CodeStyleTrue},
	"a minzoom below 0":      {layer(`"minzoom":-1`), "style.layers[0].minzoom", fault.CodeOutOfRange},
	"a filter of a word":     {layer(`"filter":"x"`), "style.layers[0].filter", catalogue.CodeStyleList},
	"a paint of a list":      {layer(`"paint":[]`), "style.layers[0].paint", catalogue.CodeStyleObject},
	"another type's paint":   {layer(`"paint":{"fill-color":"red"}`), "style.layers[0].paint.fill-color", catalogue.CodeStyleProperty},
	"a visibility":           {layer(`"layout":{"visibility":"none"}`), "style.layers[0].layout.visibility", catalogue.CodeStyleProperty},
	"an unknown token":       {layer(`"paint":{"line-color":{"$token":"leveles.1"}}`), "style.layers[0].paint.line-color", catalogue.CodeStyleToken},
	"a token in a list":      {layer(`"paint":{"line-color":["case",true,{"$token":"x"},"red"]}`), "style.layers[0].paint.line-color[2]", catalogue.CodeStyleToken},
	"an unknown icon":        {layer(`"paint":{"line-pattern":{"$icon":"res:castle"}}`), "style.layers[0].paint.line-pattern", catalogue.CodeStyleIcon},
	"an image by its name":   {layer(`"paint":{"line-pattern":"castle"}`), "style.layers[0].paint.line-pattern", catalogue.CodeStyleImage},
	"an unknown placeholder": {layer(`"paint":{"line-width":{"$size":1}}`), "style.layers[0].paint.line-width", catalogue.CodeStylePlaceholder},
	"two placeholders":       {layer(`"paint":{"line-width":{"$scale":1,"$opacity":1}}`), "style.layers[0].paint.line-width", catalogue.CodeStylePlaceholder},
	"a placeholder and more": {layer(`"paint":{"line-width":{"$scale":1,"b":1}}`), "style.layers[0].paint.line-width", catalogue.CodeStylePlaceholder},
	"a scale of a text":      {layer(`"paint":{"line-width":{"$scale":"1"}}`), "style.layers[0].paint.line-width", catalogue.CodeStyleNumber},
	"an opacity above 1":     {layer(`"paint":{"line-opacity":{"$opacity":1.1}}`), "style.layers[0].paint.line-opacity", fault.CodeOutOfRange},
	"no name":                {layer(`"paint":{"line-color":{"$name":false}}`), "style.layers[0].paint.line-color", catalogue.CodeStyleTrue},
	"another font":           {strings.Replace(layer(`"layout":{"text-font":["Comic Sans"]}`), `"type":"line"`, `"type":"symbol"`, 1), "style.layers[0].layout.text-font", catalogue.CodeStyleFont},
	"an address":             {layer(`"paint":{"line-color":"https://example.org/x"}`), "style.layers[0].paint.line-color", catalogue.CodeStyleAddress},
	"data in an address":     {layer(`"paint":{"line-color":" DATA:image/png;base64,x"}`), "style.layers[0].paint.line-color", catalogue.CodeStyleAddress},
	"an infinite number":     {layer(`"paint":{"line-width":1e400}`), "style.layers[0].paint.line-width", fault.CodeNotFinite},
	"a NUL":                  {layer(`"paint":{"line-color":"\u0000"}`), "style.layers[0].paint.line-color", fault.CodeOther},
	"deep lists":             {layer(`"filter":` + deep(catalogue.MaxStyleDepth)), "style.layers[0].filter" + strings.Repeat("[0]", catalogue.MaxStyleDepth-3), catalogue.CodeStyleDepth},
	"a large one":            {layer(`"filter":["` + strings.Repeat("x", catalogue.MaxStyleBytes) + `"]`), "style", catalogue.CodeStyleSize},
}

var refusedLegends = map[string]refusedStyle{
	"a row of nothing":      {withLegend(`{}`), "style.legend[0]", catalogue.CodeStyleLegend},
	"a row of two forms":    {withLegend(`{"icon":"hatch","note":{"zh":"x","en":""},"text":{"zh":"x","en":""}}`), "style.legend[0].note", catalogue.CodeStyleMember},
	"a row's unknown icon":  {withLegend(`{"icon":"device:1","text":{"zh":"x","en":""}}`), "style.legend[0].icon", catalogue.CodeStyleIcon},
	"a row without words":   {withLegend(`{"icon":"hatch","text":{"zh":" ","en":""}}`), "style.legend[0].text", catalogue.CodeStyleText},
	"words in one language": {withLegend(`{"icon":"hatch","text":{"zh":"x"}}`), "style.legend[0].text.en", fault.CodeRequired},
	"a swatch of no form":   {withLegend(`{"swatch":"star","color":"water","text":{"zh":"x","en":""}}`), "style.legend[0].swatch", catalogue.CodeStyleWord},
	"a swatch of no colour": {withLegend(`{"swatch":"fill","color":"#ffffff","text":{"zh":"x","en":""}}`), "style.legend[0].color", catalogue.CodeStyleToken},
	"an outline of none":    {withLegend(`{"swatch":"fill","color":"water","outline":"x","text":{"zh":"x","en":""}}`), "style.legend[0].outline", catalogue.CodeStyleToken},
	"a note on two lines":   {withLegend(`{"note":{"zh":"a\nb","en":""}}`), "style.legend[0].note.zh", fault.CodeNameLine},
	"levels of other icons": {withLegend(`{"levels":"icon","icon":"res:port"}`), "style.legend[0].icon", catalogue.CodeStyleIcon},
	"swatches with an icon": {withLegend(`{"levels":"swatch","icon":"risk"}`), "style.legend[0].icon", catalogue.CodeStyleMember},
	"a message key":         {withLegend(`{"note":"map.cluster.other"}`), "style.legend[0].note", catalogue.CodeStyleObject},
}

func TestParseStyleRefuses(t *testing.T) {
	for _, cases := range []map[string]refusedStyle{refusedForms, refusedLegends} {
		for name, c := range cases {
			_, err := catalogue.ParseStyle([]byte(c.text))
			var e *fault.Error
			if !errors.As(err, &e) || !fault.Is(err, fault.Invalid) || e.Field != c.field || fault.MessageOf(err).Code != c.code.Name() {
				t.Errorf("%s: %v (%s), want %s of %s", name, err, fault.MessageOf(err).Code, c.code.Name(), c.field)
			}
		}
	}
}

// A fragment that is stored is written into the layer's JSON as it is, and a layer without one does not have the member.
func TestStyleInALayer(t *testing.T) {
	style, err := catalogue.ParseStyle([]byte(layer(`"paint":{"line-color":"<&>"}`)))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(catalogue.Layer{Name: "x", Style: style})
	if err != nil {
		t.Fatal(err)
	}
	var back, none catalogue.Layer
	if err := json.Unmarshal(raw, &back); err != nil || !bytes.Equal(back.Style, style) {
		t.Errorf("%s became %s, %v", style, back.Style, err)
	}
	if raw, err = json.Marshal(none); err != nil || bytes.Contains(raw, []byte("style")) {
		t.Errorf("%s, %v", raw, err)
	}
	if err := json.Unmarshal([]byte(`{"style":null}`), &back); err != nil || back.Style != nil {
		t.Errorf("null is %s, %v", back.Style, err)
	}
}

func FuzzParseStyle(f *testing.F) {
	f.Add([]byte(ponds))
	f.Add([]byte(layer(`"filter":` + deep(20))))
	f.Add([]byte(withLegend(`{"levels":"swatch"}`)))
	f.Add([]byte(layer(`"paint":{"line-width":-0,"line-width":1e-400}`)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		style, err := catalogue.ParseStyle(raw)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("%v is no fault of the sender", err)
			}
			return
		}
		again, err := catalogue.ParseStyle(style)
		if err != nil || !bytes.Equal(style, again) || len(style) > catalogue.MaxStyleBytes {
			t.Fatalf("%s became %s, %v", style, again, err)
		}
	})
}

func ExampleParseStyle() {
	_, err := catalogue.ParseStyle([]byte(`{"layers":[{"id":"-fill","slot":"areas","type":"fill","paint":{"fill-color":{"$token":"leveles.1"}}}]}`))
	fmt.Println(err)
	style, err := catalogue.ParseStyle([]byte(`{"layers":[{"id":"-fill","slot":"areas","type":"fill","paint":{"fill-color":{"$token":"levels.1"}}}]}`))
	fmt.Println(string(style), err)
	// Output:
	// style.layers[0].paint.fill-color: unknown token "leveles.1"
	// {"layers":[{"id":"-fill","paint":{"fill-color":{"$token":"levels.1"}},"slot":"areas","type":"fill"}]} <nil>
}
