package server_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"onemap/auth"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/httpx"
	"onemap/sensors"
	"onemap/web/server"
	"onemap/web/server/servertest"
)

// whole returns the lists that an answer contains completely, by schema and member, with what limits their length.
func whole() map[string]string {
	return map[string]string{
		"Alert.area":                   "the rings of a circle of 32 corners or of one county",
		"Alert.confirmations":          "one a unit: the counties of the city",
		"Alert.divisions":              "the counties of the city",
		"Alert.possible":               "the four steps",
		"AlertDetail.deliveries":       "one a county that the alert is addressed to",
		"AlertDetail.history":          "the newest 1,000",
		"AlertDetail.messages":         "the newest 1,000",
		"Audience.roles":               "the roles",
		"Chart.conflicts":              "the newest 100 of the period",
		"Chart.flagged":                "one a bucket: at most as many as points are asked for",
		"Chart.points":                 "the points that are asked for, at most 2,000",
		"City.bbox":                    "four numbers",
		"City.center":                  "two numbers",
		"DatastreamTypes.hazard_types": "comes with the program",
		"DatastreamTypes.items":        "comes with the program",
		"Delivery.confirmed":           "the responders of one county, whose accounts people make",
		"Delivery.connected":           "the responders of one county, whose accounts people make",
		"Delivery.received":            "the responders of one county, whose accounts people make",
		"Device.datastreams":           "100 of one device",
		"Edited.created":               "10,000 changes in one edit",
		"Event.divisions":              "the counties of the city",
		"Event.roles":                  "the roles",
		"Geometry.geometries":          "8 MiB of one edit, or what an import brought as one feature",
		"IngestStats.brokers":          "the brokers of the command line",
		"IngestStats.samples":          "15 minutes of samples",
		"IngestStats.troubles":         "the newest 100",
		"Layer.bbox":                   "four numbers",
		"Layer.fields":                 "the columns of the layer's source",
		"LayerHealth.items":            "one a layer of the catalogue, which operators import by hand and each node holds in memory",
		"LayerState.undrawn":           "the first 100, and a count",
		"LayerStyle.layers":            "16 of one layer",
		"LayerStyle.legend":            "16 rows",
		"Layers.items":                 "one a layer of the catalogue, which operators import by hand and each node holds in memory",
		"Layers.themes":                "the themes of the program",
		"WholeBulkItem.items":          "500 alerts in one step",
		"WholeDivision.items":          "GB/T 2260: the county units or the towns of one city",
		"WholeHit.items":               "a search lists the best ones, as many as are asked for, at most 100",
		"Me.permissions":               "the permissions",
		"Problem.errors":               "the first 100, and a count",
		"Quarantined.faults":           "the first 16, and a count",
		"Rule.thresholds":              "one a level: four",
		"ServerHealth.parts":           "the parts of the program",
		"StyleLayer.filter":            "32 KiB of one style",
		"Sources.items":                "the files of base data that come with the program",
	}
}

// listsOf walks the schema of an answer and names each list in it.
func listsOf(registry huma.Registry, s *huma.Schema, schema string, seen map[string]bool, found map[string]bool) {
	if s == nil {
		return
	}
	if s.Ref != "" {
		name := s.Ref[strings.LastIndex(s.Ref, "/")+1:]
		if seen[name] {
			return
		}
		seen[name] = true
		listsOf(registry, registry.SchemaFromRef(s.Ref), name, seen, found)
		return
	}
	for name, member := range s.Properties {
		if member.Type == huma.TypeArray {
			found[schema+"."+name] = true
			listsOf(registry, member.Items, schema+"."+name, seen, found)
		} else {
			listsOf(registry, member, schema, seen, found)
		}
	}
	for _, one := range s.AnyOf {
		listsOf(registry, one, schema, seen, found)
	}
	if values, ok := s.AdditionalProperties.(*huma.Schema); ok {
		listsOf(registry, values, schema, seen, found)
	}
}

// Every list of every answer is paged, or its length is limited by what the table above names.
func TestListsHaveBounds(t *testing.T) {
	s, err := server.Assemble(server.Options{HTTP: httpx.Options{Permissions: servertest.Permissions()}})
	if err != nil {
		t.Fatal(err)
	}
	registry := s.Huma().Components.Schemas
	bounded, used := whole(), map[string]bool{}
	for route, o := range described(s) {
		paged := map[string]bool{}
		for status, answer := range o.Responses {
			media := answer.Content["application/json"]
			if media == nil || !strings.HasPrefix(status, "2") {
				continue
			}
			found := map[string]bool{}
			listsOf(registry, media.Schema, "", map[string]bool{}, found)
			if top := media.Schema; top.Ref != "" && slices.ContainsFunc(o.Parameters, func(p *huma.Param) bool { return p.Name == "limit" }) {
				name := top.Ref[strings.LastIndex(top.Ref, "/")+1:]
				members := registry.SchemaFromRef(top.Ref).Properties
				if members["next"] != nil || members["more"] != nil {
					paged[name+".items"], paged[name+".features"] = true, true
				}
			}
			for _, list := range slices.Sorted(maps.Keys(found)) {
				if paged[list] {
					continue
				}
				used[list] = true
				if bounded[list] == "" {
					t.Errorf("%s: nothing bounds %s", route, list)
				}
			}
		}
	}
	for list := range bounded {
		if !used[list] {
			t.Errorf("there is no list %s", list)
		}
	}
}

// pagedList is a list that is paged: an address, the account that asks, the cursor's parameter, and the key of an item.
type pagedList struct{ path, account, cursor, key string }

func pagedLists() []pagedList {
	return []pagedList{
		{"/api/v1/accounts", servertest.Admin, "after", "user"},
		{"/api/v1/assignees", servertest.Commander, "after", "user"},
		{"/api/v1/displays", servertest.Admin, "before", "id"},
		{"/api/v1/sessions?user=" + servertest.R02, servertest.Admin, "before", "id"},
		{"/api/v1/silences", servertest.Commander, "before", "id"},
		{"/api/v1/rules", servertest.Commander, "after", "id"},
		{"/api/v1/alerts", servertest.Commander, "before", "id"},
		{"/api/v1/devices", servertest.Commander, "after", "id"},
		{"/api/v1/events", servertest.Commander, "before", "seq"},
		{"/api/v1/conflicts", servertest.Commander, "before", "id"},
		{"/api/v1/quarantine", servertest.Steward, "before", "id"},
		{"/api/v1/layers/shelters/features", servertest.Commander, "after", "id"},
		{"/api/v1/layers/shelters/features/{shelter}/history", servertest.Commander, "before", "id"},
		{"/api/v1/failed-logins", servertest.Admin, "before", "id"},
	}
}

// page requests one page of a list.
func (w *world) page(l pagedList, limit int, cursor string) (items []string, next string) {
	w.T.Helper()
	path, query, _ := strings.Cut(strings.Replace(l.path, "{shelter}", fmt.Sprint(w.shelter()), 1), "?")
	q, err := url.ParseQuery(query)
	w.Must(err)
	if limit > 0 {
		q.Set("limit", fmt.Sprint(limit))
	}
	if cursor != "" {
		q.Set(l.cursor, cursor)
	}
	var answer struct {
		Items    []map[string]json.RawMessage `json:"items"`
		Features []map[string]json.RawMessage `json:"features"`
		Next     any                          `json:"next"`
	}
	w.Send(l.account, http.MethodGet, path+"?"+q.Encode(), nil).Decode(w.T, &answer)
	for _, item := range append(answer.Items, answer.Features...) {
		items = append(items, strings.Trim(string(item[l.key]), `"`))
	}
	if answer.Next == nil {
		return items, ""
	}
	return items, fmt.Sprint(answer.Next)
}

// For every page size, the pages of each list make up the list: each item once and in the same order.
func TestPagesAreTheList(t *testing.T) {
	w := newWorld(t, nil)
	w.fillLists("a")
	paged := map[string]bool{}
	for _, l := range pagedLists() {
		paged[strings.NewReplacer("/shelters/", "/{layer}/", "{shelter}", "{id}").Replace(strings.SplitN(l.path, "?", 2)[0])] = true
		all, next := w.page(l, 0, "")
		if len(all) < 3 || next != "" {
			t.Errorf("%s: %d items, next %q: too few to try", l.path, len(all), next)
		}
		for _, limit := range []int{1, 2, len(all) - 1, len(all), len(all) + 1} {
			var got []string
			cursor := ""
			for range len(all) + 1 {
				items, next := w.page(l, limit, cursor)
				if len(items) > limit {
					t.Errorf("%s: a page of %d has %d items", l.path, limit, len(items))
				}
				got = append(got, items...)
				if cursor = next; next == "" {
					break
				}
			}
			if !slices.Equal(got, all) || cursor != "" {
				t.Errorf("%s by %d: %v then %q, want %v", l.path, limit, got, cursor, all)
			}
		}
	}
	for route, o := range described(w.API) {
		path := strings.TrimPrefix(route, "GET ")
		limit := slices.ContainsFunc(o.Parameters, func(p *huma.Param) bool { return p.Name == "limit" })
		if limit && !paged[path] && path != "/api/v1/search" && path != "/cap/feed.atom" && path != "/api/v1/datastreams/{id}/observations" {
			t.Errorf("the pages of %s are not tried", route)
		}
	}
}

// An item that is added between two pages moves no other: no existing item is left out or repeated.
func TestPagesStandStill(t *testing.T) {
	w := newWorld(t, nil)
	w.fillLists("a")
	for i, l := range pagedLists() {
		all, _ := w.page(l, 500, "")
		got, cursor := w.page(l, 1, "")
		w.fillLists(fmt.Sprintf("b%d-", i))
		for cursor != "" {
			var items []string
			items, cursor = w.page(l, 2, cursor)
			got = append(got, items...)
		}
		later := slices.DeleteFunc(slices.Clone(got), func(key string) bool { return slices.Contains(all, key) })
		before := slices.DeleteFunc(got, func(key string) bool { return slices.Contains(later, key) })
		if !slices.Equal(before, all) || (l.cursor == "before" && len(later) > 0) {
			t.Errorf("%s: %v and then %v, want %v", l.path, before, later, all)
		}
	}
}

// fillLists adds so many items of each kind that every list has several pages.
func (w *world) fillLists(tag string) {
	w.T.Helper()
	ctx := w.T.Context()
	for i := range 4 {
		_, _, err := w.People.Login(ctx, auth.Login{User: servertest.R02, Password: servertest.Password})
		w.Must(err)
		for path, body := range map[string]any{
			"/api/v1/silences": silence("device_id", "dev-02"),
			"/api/v1/rules":    servertest.RuleBody,
		} {
			if a := w.Send(servertest.Commander, http.MethodPost, path, body); a.Status != http.StatusCreated {
				w.T.Fatalf("%s: %s", path, a.Body)
			}
		}
		d, _ := servertest.Device(w.World, fmt.Sprintf("%s%d", tag, i))
		if a := w.Send(servertest.Steward, http.MethodPost, "/api/v1/devices", d); a.Status != http.StatusCreated {
			w.T.Fatalf("%s", a.Body)
		}
		shelter, headers := create(w, servertest.Steward)
		if a := w.Send(servertest.Steward, http.MethodPatch, "/api/v1/layers/shelters/features", shelter, headers...); a.Status != http.StatusOK {
			w.T.Fatalf("%s", a.Body)
		}
		_, headers = create(w, servertest.Steward)
		renamed := map[string]any{"update": []any{map[string]any{"id": w.shelter(), "name": core.Text{ZH: fmt.Sprint(tag, i)}}}}
		if a := w.Send(servertest.Steward, http.MethodPatch, "/api/v1/layers/shelters/features", renamed, headers...); a.Status != http.StatusOK {
			w.T.Fatalf("%s", a.Body)
		}
		if _, _, err := w.People.Login(ctx, auth.Login{User: fmt.Sprintf("nobody-%s%d", tag, i), Password: servertest.Password}); !fault.Is(err, fault.Unauthenticated) {
			w.T.Fatalf("a login of nobody: %v", err)
		}
		w.Raise("dev-14", nil)
		at := w.Clock.Now().Add(-time.Hour).Truncate(time.Millisecond)
		_, err = w.DB.Sensors.CommitBatch(ctx, sensors.Batch{
			Observations: []sensors.Observation{{DatastreamID: w.Streams["dev-02"], Time: at, Value: float64(i), QC: sensors.QCGood, TimeSource: sensors.TimeDevice, ReceivedAt: at.Add(time.Duration(i) * time.Second)}},
			Quarantine:   []sensors.Quarantined{{At: at, DeviceID: "dev-02", Topic: "x", Reason: sensors.ReasonBadJSON, Payload: []byte("x"), Size: 1}},
		})
		w.Must(err)
	}
}

// shelter returns the id of a feature that is changed several times.
func (w *world) shelter() (id int64) {
	w.T.Helper()
	features, err := w.DB.Catalogue.Features(w.T.Context(), core.Scope{Division: "3706"}, "shelters", nil, 0, 100)
	w.Must(err)
	for _, f := range features {
		if f.Key == "s-02" {
			return f.ID
		}
	}
	w.T.Fatal("there is no shelter s-02")
	return 0
}
