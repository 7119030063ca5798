package server_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"onemap/internal/httpx"
	"onemap/web/server/servertest"
)

func TestBadBodies(t *testing.T) {
	w := newWorld(t, nil)
	const rules = "/api/v1/rules"
	post := func(name, body string, status int, field string) servertest.Wrong {
		return servertest.Wrong{Name: name, Account: servertest.Steward, Method: http.MethodPost, Path: rules, Body: body, Status: status, Field: field}
	}
	change := func(old, with string) string { return strings.Replace(servertest.RuleBody, old, with, 1) }
	w.Refuse(t, []servertest.Wrong{
		post("no JSON", "garbage", 400, "body"),
		post("cut off", servertest.RuleBody[:40], 400, "body"),
		post("two documents", servertest.RuleBody+servertest.RuleBody, 400, "body"),
		post("NaN", change("5", "NaN"), 400, "body"),
		post("Infinity", change("5", "1e999"), 400, "thresholds[0].raise"),
		post("a list", "[]", 400, "body"),
		post("null", "null", 400, "body"),
		post("empty", "", 400, ""),
		post("bytes", "\x00\xff\xfe", 400, "body"),
		post("nested without end", strings.Repeat("[", 200_000), 400, "body"),
		post("a string for a number", change("5", `"5"`), 400, "thresholds[0].raise"),
		post("a number for a string", change(`"level","dir`, `7,"dir`), 400, "datastream_type"),
		post("a string for a list", change(`[{"level":1,"raise":5,"clear":4}]`, `"x"`), 400, "thresholds"),
		post("null for a list", change(`[{"level":1,"raise":5,"clear":4}]`, `null`), 400, "thresholds"),
		post("a fraction for a whole number", change(`"level":1`, `"level":1.5`), 400, "thresholds[0].level"),
		post("a level out of range", change(`"level":1`, `"level":9`), 400, "thresholds[0].level"),
		post("a level below zero", change(`"level":1`, `"level":-1`), 400, "thresholds[0].level"),
		post("no level", change(`"level":1`, `"level":0`), 400, "thresholds[0].level"),
		post("clear beyond raise", change(`"clear":4`, `"clear":6`), 400, "thresholds[0].clear"),
		post("an unknown word", change(`"above"`, `"sideways"`), 400, "direction"),
		post("an unknown member", change(`"enabled"`, `"frobnicate":1,"enabled"`), 400, "frobnicate"),
		post("an unknown member below", change(`"raise"`, `"rise":1,"raise"`), 400, "thresholds[0].rise"),
		post("what only the server writes", change(`"enabled"`, `"version":1,"enabled"`), 400, "version"),
		post("a member is missing", change(`"direction":"above",`, ``), 400, "direction"),
		post("a member below is missing", change(`"raise":5,`, ``), 400, "thresholds[0].raise"),
		post("no thresholds", change(`{"level":1,"raise":5,"clear":4}`, ``), 400, "thresholds"),
		post("an unknown type", change(`"level","dir`, `"magic","dir`), 400, "datastream_type"),
		post("an unknown datastream", change(`"enabled"`, `"datastream_id":99999,"enabled"`), 400, "datastream_id"),
		post("a name too long", change(`"zh":"a"`, `"zh":"`+strings.Repeat("长", 200)+`"`), 400, "name.zh"),
		post("2 MB", `{"name":"`+strings.Repeat("a", 2<<20)+`"}`, 413, ""),
		{Name: "2 MB in pieces", Account: servertest.Steward, Method: http.MethodPost, Path: rules, Body: io.MultiReader(strings.NewReader(`{"name":"`), strings.NewReader(strings.Repeat("a", 2<<20))), Headers: nil, Status: 413, Field: ""},
		{Name: "10 MB of features", Account: servertest.Steward, Method: http.MethodPatch, Path: "/api/v1/layers/land/features", Body: strings.Repeat(" ", 10<<20), Headers: []string{"If-Match", `"1"`}, Status: 413, Field: ""},
		{Name: "a form", Account: servertest.Steward, Method: http.MethodPost, Path: rules, Body: "a=b", Headers: []string{"Content-Type", "application/x-www-form-urlencoded"}, Status: 415, Field: "body"},
		{Name: "a media type of garbage", Account: servertest.Steward, Method: http.MethodPost, Path: rules, Body: servertest.RuleBody, Headers: []string{"Content-Type", ";+;"}, Status: 415, Field: "body"},
		{Name: "a login of wrong types", Account: "", Method: http.MethodPost, Path: "/api/v1/session", Body: `{"user":{"$ne":null},"password":["x"]}`, Headers: nil, Status: 400, Field: "password"},
		{Name: "a login without a password", Account: "", Method: http.MethodPost, Path: "/api/v1/session", Body: `{"user":"x"}`, Headers: nil, Status: 400, Field: "password"},
		{Name: "a login with a role", Account: "", Method: http.MethodPost, Path: "/api/v1/session", Body: `{"user":"x","password":"y","role":"administrator"}`, Headers: nil, Status: 400, Field: "role"},
		{Name: "a login of 1 MB", Account: "", Method: http.MethodPost, Path: "/api/v1/session", Body: `{"user":"` + strings.Repeat("a", 1<<20) + `"}`, Headers: nil, Status: 413, Field: ""},
		{Name: "an account with its own id", Account: servertest.Admin, Method: http.MethodPost, Path: "/api/v1/accounts", Body: `{"id":1,"user":"abc","name":"x","role":"observer","division":"3706","password":"0123456789"}`, Headers: nil, Status: 400, Field: "id"},
		{Name: "an account of an unknown role", Account: servertest.Admin, Method: http.MethodPost, Path: "/api/v1/accounts", Body: `{"user":"abc","name":"x","role":"god","division":"3706","password":"0123456789"}`, Headers: nil, Status: 400, Field: "role"},
		{Name: "an account outside the city", Account: servertest.Admin, Method: http.MethodPost, Path: "/api/v1/accounts", Body: `{"user":"abc","name":"x","role":"observer","division":"370202","password":"0123456789"}`, Headers: nil, Status: 403, Field: "division"},
		{Name: "an account that is there", Account: servertest.Admin, Method: http.MethodPost, Path: "/api/v1/accounts", Body: `{"user":"` + servertest.Bystander + `","name":"x","role":"observer","division":"3706","password":"0123456789"}`, Headers: nil, Status: 409, Field: "user"},
	})
	if n := len(w.rules()); n != 1 {
		t.Errorf("%d rules: something was stored", n)
	}
}

func (w *world) rules() []any {
	var list httpx.List[any]
	w.Send(servertest.Commander, http.MethodGet, "/api/v1/rules", nil).Decode(w.T, &list)
	return list.Items
}

func TestBadParameters(t *testing.T) {
	w := newWorld(t, nil)
	get := func(name, path string, status int, field string) servertest.Wrong {
		return servertest.Wrong{Name: name, Account: servertest.Commander, Method: http.MethodGet, Path: path, Status: status, Field: field}
	}
	stream := fmt.Sprintf("/api/v1/datastreams/%d/observations", w.Streams["dev-02"])
	features := "/api/v1/layers/land/features"
	w.Refuse(t, []servertest.Wrong{
		get("bbox of garbage", features+"?bbox=garbage", 400, "bbox"),
		get("bbox with NaN", features+"?bbox=NaN,0,1,1", 400, "bbox"),
		get("bbox turned round", features+"?bbox=122,37,121,38", 400, "bbox"),
		get("bbox with lat, lon", features+"?bbox=37,121,38,122", 400, "bbox"),
		get("limit of nothing", features+"?limit=0", 400, "limit"),
		get("limit too large", features+"?limit=5001", 400, "limit"),
		get("limit below zero", features+"?limit=-1", 400, "limit"),
		get("limit of letters", features+"?limit=many", 400, "limit"),
		get("limit beyond 64 bits", features+"?limit=99999999999999999999", 400, "limit"),
		get("after below zero", features+"?after=-5", 400, "after"),
		get("a parameter that is unknown", features+"?lmit=5", 400, "lmit"),
		get("a feature's id of letters", features+"/abc", 400, "id"),
		get("a feature's id of zero", features+"/0", 400, "id"),
		get("a feature that is not there", features+"/999999", 404, ""),
		get("SQL in a layer's name", "/api/v1/layers/land'%3B%20drop%20table%20layer%3B--", 400, "layer"),
		get("an unknown layer", "/api/v1/layers/nothing", 404, ""),
		get("an unknown layer's features", "/api/v1/layers/nothing/features", 404, ""),
		get("from after to", stream+"?from=2026-07-02T00:00:00Z&to=2026-07-01T00:00:00Z", 400, "from"),
		get("from without a zone", stream+"?from=2026-07-02T00:00:00", 400, "from"),
		get("from of garbage", stream+"?from=yesterday", 400, "from"),
		get("from before everything", stream+"?from=0002-01-01T00:00:00Z", 400, "from"),
		get("5001 readings", stream+"?limit=5001", 400, "limit"),
		get("an unknown datastream", "/api/v1/datastreams/999999/observations", 404, ""),
		get("a datastream of letters", "/api/v1/datastreams/x/observations", 400, "id"),
		get("an unknown device", "/api/v1/devices/nobody", 404, ""),
		get("an unknown level", "/api/v1/alerts?level=7", 400, "level[0]"),
		get("a level of letters", "/api/v1/alerts?level=red", 400, "level"),
		get("an unknown handling", "/api/v1/alerts?handling=lost", 400, "handling[0]"),
		get("open of garbage", "/api/v1/alerts?open=perhaps", 400, "open"),
		get("501 alerts", "/api/v1/alerts?limit=501", 400, "limit"),
		get("an alert of letters", "/api/v1/alerts/x", 400, "id"),
		get("an unknown alert", "/api/v1/alerts/999999", 404, ""),
		get("no words to search", "/api/v1/search", 400, "q"),
		get("blanks to search", "/api/v1/search?q=%20%20", 400, "q"),
		get("a zero byte to search", "/api/v1/search?q=a%00b", 400, "q"),
		get("no UTF-8 to search", "/api/v1/search?q=%ff%fe", 400, "q"),
		get("101 hits", "/api/v1/search?q=a&limit=101", 400, "limit"),
		get("divisions of a third level", "/api/v1/divisions?level=village", 400, "level"),
		get("an unknown rule", "/api/v1/rules/999999", 404, ""),
		get("an unknown CAP message", "/cap/alerts/nothing.xml", 404, ""),
		get("a CAP message without an ending", "/cap/alerts/onemap-1", 404, ""),
		get("a CAP message of SQL", "/cap/alerts/'or'1'='1.xml", 404, ""),
		get("a CAP message with a zero byte", "/cap/alerts/a%00.xml", 404, ""),
		{Name: "an unknown action", Account: servertest.Commander, Method: http.MethodPost, Path: fmt.Sprintf("/api/v1/alerts/%d/eat", w.Alert.ID), Body: "{}", Headers: nil, Status: 400, Field: "action"},
		{Name: "resolving without a note", Account: servertest.Commander, Method: http.MethodPost, Path: fmt.Sprintf("/api/v1/alerts/%d/resolve", w.Alert.ID), Body: "{}", Headers: nil, Status: 400, Field: "note"},
		{Name: "closing what is new", Account: servertest.Commander, Method: http.MethodPost, Path: fmt.Sprintf("/api/v1/alerts/%d/close", w.Alert.ID), Body: `{"note":"x"}`, Headers: nil, Status: 409, Field: ""},
		{Name: "assigning to nobody", Account: servertest.Commander, Method: http.MethodPost, Path: fmt.Sprintf("/api/v1/alerts/%d/assign", w.Alert.ID), Body: "{}", Headers: nil, Status: 400, Field: "assignee"},
		{Name: "assigning to a ghost", Account: servertest.Commander, Method: http.MethodPost, Path: fmt.Sprintf("/api/v1/alerts/%d/assign", w.Alert.ID), Body: `{"assignee":"ghost"}`, Headers: nil, Status: 400, Field: "assignee"},
		{Name: "assigning to an observer", Account: servertest.Commander, Method: http.MethodPost, Path: fmt.Sprintf("/api/v1/alerts/%d/assign", w.Alert.ID), Body: `{"assignee":"` + servertest.Bystander + `"}`, Headers: nil, Status: 400, Field: "assignee"},
		{Name: "assigning to another county", Account: servertest.Commander, Method: http.MethodPost, Path: fmt.Sprintf("/api/v1/alerts/%d/assign", w.Alert.ID), Body: `{"assignee":"` + servertest.R14 + `"}`, Headers: nil, Status: 400, Field: "assignee"},
	})
}

func TestBadTiles(t *testing.T) {
	w := newWorld(t, nil)
	get := func(account, path string, status int, field string) servertest.Wrong {
		return servertest.Wrong{Name: path, Account: account, Method: http.MethodGet, Path: path, Status: status, Field: field}
	}
	w.Refuse(t, []servertest.Wrong{
		get(servertest.Observer, "/tiles/land/3/8/0.mvt", 400, "x"),
		get(servertest.Observer, "/tiles/land/3/0/8.mvt", 400, "y"),
		get(servertest.Observer, "/tiles/land/23/0/0.mvt", 400, "z"),
		get(servertest.Observer, "/tiles/land/-1/0/0.mvt", 400, "z"),
		get(servertest.Observer, "/tiles/land/1/0/1.5.mvt", 400, "y"),
		get(servertest.Observer, "/tiles/land/1/99999999999999999999/0.mvt", 400, "x"),
		get(servertest.Observer, "/tiles/land/1/0/0.png", 404, ""),
		get(servertest.Observer, "/tiles/land/1/0/0", 404, ""),
		get(servertest.Observer, "/tiles/land/1/0", 404, ""),
		get(servertest.Observer, "/tiles/land%27%3Bdrop%20table%20feature%3B--/1/0/0.mvt", 400, "layers"),
		get(servertest.Observer, "/tiles/land)--/1/0/0.mvt", 400, "layers"),
		get(servertest.Observer, "/tiles/land,land/1/0/0.mvt", 400, "layers"),
		get(servertest.Observer, "/tiles/land,/1/0/0.mvt", 400, "layers"),
		get(servertest.Observer, "/tiles/LAND/1/0/0.mvt", 400, "layers"),
		get(servertest.Observer, "/tiles/%2e%2e%2fetc/1/0/0.mvt", 400, "layers"),
		get(servertest.Observer, "/tiles/"+strings.Repeat("a,", 30)+"b/1/0/0.mvt", 400, "layers"),
		get(servertest.Observer, "/tiles/nothing/1/0/0.mvt", 404, ""),
		get(servertest.Observer, "/tiles/land,nothing/1/0/0.mvt", 404, ""),
		get(servertest.Observer, "/tiles/plans/1/0/0.mvt", 403, ""),
		get(servertest.Observer, "/tiles/land,plans/1/0/0.mvt", 403, ""),
		get(servertest.R02, "/tiles/shelters,plans/1/0/0.mvt", 403, ""),
		get(servertest.Observer, "/tiles/plans.json", 403, ""),
		get(servertest.Observer, "/tiles/land,plans.json", 403, ""),
		get(servertest.Observer, "/tiles/nothing.json", 404, ""),
		get(servertest.Observer, "/tiles/land", 404, ""),
		get(servertest.Observer, "/tiles/la%20nd.json", 400, "layers"),
	})
}

func TestBadEdits(t *testing.T) {
	w := newWorld(t, nil)
	ids := w.Features("shelters")
	version := w.Version(servertest.Steward, "shelters")
	patch := func(name, account, body, ifMatch string, status int, field string) servertest.Wrong {
		c := servertest.Wrong{Name: name, Account: account, Method: http.MethodPatch, Path: "/api/v1/layers/shelters/features", Body: body, Status: status, Field: field}
		if ifMatch != "" {
			c.Headers = []string{"If-Match", ifMatch}
		}
		return c
	}
	feature := func(geometry, division string) string {
		return `{"create":[{"type":"Feature","geometry":` + geometry + `,"properties":{"division":"` + division + `","name":{"zh":"a","en":"a"}}}]}`
	}
	const point = `{"type":"Point","coordinates":[121.4,37.5]}`
	move := func(id int64) string { return fmt.Sprintf(`{"move":[{"id":%d,"geometry":%s}]}`, id, point) }
	w.Refuse(t, []servertest.Wrong{
		patch("no If-Match", servertest.Steward, move(ids["s-02"]), "", 428, "If-Match"),
		patch("stale If-Match", servertest.Steward, move(ids["s-02"]), `"999"`, 412, ""),
		patch("weak If-Match", servertest.Steward, move(ids["s-02"]), "W/"+version, 400, "If-Match"),
		patch("If-Match of anything", servertest.Steward, move(ids["s-02"]), "*", 400, "If-Match"),
		patch("nothing to do", servertest.Steward, `{}`, version, 400, "body"),
		patch("nothing to do, in lists", servertest.Steward, `{"create":[],"delete":[]}`, version, 400, "body"),
		patch("an unknown member", servertest.Steward, `{"remove":[1]}`, version, 400, "remove"),
		patch("a ring that is not closed", servertest.Steward, feature(`{"type":"Polygon","coordinates":[[[121,37],[122,37],[122,38],[121,38]]]}`, "370602"), version, 400, "create[0].geometry"),
		patch("lat, lon", servertest.Steward, feature(`{"type":"Point","coordinates":[37.5,121.4]}`, "370602"), version, 400, "create[0].geometry"),
		patch("out of the world", servertest.Steward, feature(`{"type":"Point","coordinates":[1210,37.5]}`, "370602"), version, 400, "create[0].geometry"),
		patch("a point of words", servertest.Steward, feature(`{"type":"Point","coordinates":["a","b"]}`, "370602"), version, 400, "create[0].geometry"),
		patch("a point of nulls", servertest.Steward, feature(`{"type":"Point","coordinates":[null,null]}`, "370602"), version, 400, "create[0].geometry"),
		patch("no coordinates", servertest.Steward, feature(`{"type":"Point"}`, "370602"), version, 400, "create[0].geometry"),
		patch("an unknown geometry", servertest.Steward, feature(`{"type":"Circle","coordinates":[121,37]}`, "370602"), version, 400, "create[0].geometry.type"),
		patch("a geometry of null", servertest.Steward, feature(`null`, "370602"), version, 400, "create[0].geometry"),
		patch("a ring that crosses itself", servertest.Steward, feature(`{"type":"Polygon","coordinates":[[[121,37],[122,38],[122,37],[121,38],[121,37]]]}`, "370602"), version, 400, "create[0].geometry"),
		patch("no division", servertest.Steward, feature(point, ""), version, 400, "create[0].properties.division"),
		patch("a division of letters", servertest.Steward, feature(point, "abcdef"), version, 400, "create[0].properties.division"),
		patch("another county's division", servertest.Steward14, feature(point, "370602"), version, 403, "create[0].properties.division"),
		patch("another county's feature", servertest.Steward14, move(ids["s-02"]), version, 404, "move[0].id"),
		patch("deleting another county's feature", servertest.Steward14, fmt.Sprintf(`{"delete":[%d]}`, ids["s-02"]), version, 404, "delete[0]"),
		patch("updating another county's feature", servertest.Steward14, fmt.Sprintf(`{"update":[{"id":%d,"level":1}]}`, ids["s-02"]), version, 404, "update[0].id"),
		patch("an unknown feature", servertest.Steward, `{"delete":[999999]}`, version, 404, "delete[0]"),
		patch("deleted twice", servertest.Steward, fmt.Sprintf(`{"delete":[%d,%d]}`, ids["s-02"], ids["s-02"]), version, 400, "delete[1]"),
		patch("deleted and moved", servertest.Steward, fmt.Sprintf(`{"delete":[%d],"move":[{"id":%d,"geometry":%s}]}`, ids["s-02"], ids["s-02"], point), version, 400, "move[0].id"),
		patch("an id below zero", servertest.Steward, `{"delete":[-1]}`, version, 400, "delete[0]"),
		patch("one good, one bad", servertest.Steward, fmt.Sprintf(`{"delete":[%d],"update":[{"id":999999,"level":1}]}`, ids["s-14"]), version, 404, "update[0].id"),
	})
	if after := w.Features("shelters"); len(after) != 2 || w.Version(servertest.Steward, "shelters") != version {
		t.Errorf("the layer changed: %v", after)
	}
}

func TestBadLayerChanges(t *testing.T) {
	w := newWorld(t, nil)
	version := w.Version(servertest.Steward, "shelters")
	patch := func(name, body, ifMatch string, status int, field string) servertest.Wrong {
		c := servertest.Wrong{Name: name, Account: servertest.Steward, Method: http.MethodPatch, Path: "/api/v1/layers/shelters", Body: body, Status: status, Field: field}
		if ifMatch != "" {
			c.Headers = []string{"If-Match", ifMatch}
		}
		return c
	}
	w.Refuse(t, []servertest.Wrong{
		patch("no If-Match", `{"min_zoom":1}`, "", 428, "If-Match"),
		patch("stale If-Match", `{"min_zoom":1}`, `"999"`, 412, ""),
		patch("nothing to do", `{}`, version, 400, "body"),
		patch("what cannot be changed", `{"name":"x"}`, version, 400, "name"),
		patch("a zoom too deep", `{"max_zoom":23}`, version, 400, "max_zoom"),
		patch("a zoom of words", `{"max_zoom":"deep"}`, version, 400, "max_zoom"),
		patch("no range", `{"min_zoom":9,"max_zoom":3}`, version, 400, "min_zoom"),
		patch("an unknown field", `{"in_tile":["beds","rooms"]}`, version, 400, "in_tile[1]"),
		patch("a long unknown field", `{"in_tile":["`+strings.Repeat("x", 100_000)+`"]}`, version, 400, "in_tile[0]"),
		patch("a field twice", `{"in_tile":["beds","beds"]}`, version, 400, "in_tile[1]"),
		patch("a severity of no field", `{"tile":{"severity":"rooms"}}`, version, 400, "tile.severity"),
		patch("a severity of words", `{"tile":{"severity":"phone"}}`, version, 400, "tile.severity"),
		patch("a buffer too wide", `{"tile":{"buffer":5000}}`, version, 400, "tile.buffer"),
		patch("a cell of no power of two", `{"tile":{"thin":{"cell":3,"to_zoom":4}}}`, version, 400, "tile.thin.cell"),
		patch("half a grid", `{"tile":{"cluster":{"cell":8}}}`, version, 400, "tile.cluster.to_zoom"),
		patch("a tolerance below 0", `{"tile":{"simplify":-1}}`, version, 400, "tile.simplify"),
		patch("a source of its own", `{"tile":{"source":"disk"}}`, version, 400, "tile.source"),
		patch("an unknown rule", `{"tile":{"colour":"red"}}`, version, 400, "tile.colour"),
	})
	if w.Version(servertest.Steward, "shelters") != version {
		t.Error("the layer changed")
	}
}

func TestBadDevices(t *testing.T) {
	w := newWorld(t, nil)
	const good = `{"id":"x-1","division":"370602","name":{"zh":"a","en":""},"hazard_type":"flood","lon":121,"lat":37,"datastreams":[{"name":"level","type":"level","title":{"zh":"","en":""}}]}`
	post := func(name, old, with string, status int, field string) servertest.Wrong {
		body := strings.Replace(good, old, with, 1)
		if body == good {
			t.Fatalf("%s changes nothing", name)
		}
		return servertest.Wrong{Name: name, Account: servertest.Steward, Method: http.MethodPost, Path: "/api/v1/devices", Body: body, Status: status, Field: field}
	}
	w.Refuse(t, []servertest.Wrong{
		post("an id with a slash", `"x-1"`, `"x/1"`, 400, "id"),
		post("an id with a wildcard", `"x-1"`, `"+"`, 400, "id"),
		post("an id that is there", `"x-1"`, `"dev-02"`, 409, "id"),
		post("lat out of range", `"lat":37`, `"lat":137`, 400, "lat"),
		post("lon out of range", `"lon":121`, `"lon":1210`, 400, "lon"),
		post("lon of words", `"lon":121`, `"lon":"121"`, 400, "lon"),
		post("the city's division", `"370602"`, `"3706"`, 400, "division"),
		post("no division", `"370602"`, `""`, 400, "division"),
		post("another city", `"370602"`, `"370202"`, 403, "division"),
		post("an unknown hazard", `"flood"`, `"dragons"`, 400, "hazard_type"),
		post("an unknown type", `"type":"level"`, `"type":"magic"`, 400, "datastreams[0].type"),
		post("a stream's name with a blank", `"name":"level"`, `"name":"le vel"`, 400, "datastreams[0].name"),
		post("a name twice", `[{`, `[{"name":"level","type":"rain","title":{"zh":"","en":""}},{`, 400, "datastreams[1].name"),
		post("no streams", `[{"name":"level","type":"level","title":{"zh":"","en":""}}]`, `[]`, 400, "datastreams"),
		post("no name", `"zh":"a"`, `"zh":" "`, 400, "name.zh"),
		post("a secret", `"id"`, `"secret":"mine","id"`, 400, "secret"),
	})
}
