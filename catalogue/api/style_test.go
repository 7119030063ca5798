package catalogueapi_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"onemap/catalogue"
	catalogueapi "onemap/catalogue/api"
	"onemap/web/server/servertest"
)

func TestLayerStyle(t *testing.T) {
	w := newWorld(t, nil)
	const path = "/api/v1/layers/land/style"
	version := w.Version(servertest.Steward, "land")
	a := w.Send(servertest.Steward, http.MethodPut, path, servertest.Style(), "If-Match", version)
	var set, read catalogue.Layer
	a.Decode(t, &set)
	want, err := catalogue.ParseStyle([]byte(servertest.Style()))
	w.Must(err)
	if string(set.Style) != string(want) || a.Header.Get("ETag") == version || a.Header.Get("ETag") != w.Version(servertest.R02, "land") {
		t.Errorf("%s: %s", a.Header.Get("ETag"), a.Body)
	}
	w.Send(servertest.R02, http.MethodGet, "/api/v1/layers/land", nil).Decode(t, &read)
	if diff := cmp.Diff(set.Style, read.Style); diff != "" {
		t.Error(diff)
	}
	var list catalogueapi.Layers
	w.Send(servertest.Observer, http.MethodGet, "/api/v1/layers", nil).Decode(t, &list)
	for _, l := range list.Items {
		if styled := l.Style != nil; styled != (l.Name == "land") {
			t.Errorf("%s in the list: %s", l.Name, l.Style)
		}
	}
	if a := w.Send(servertest.Steward, http.MethodDelete, path, nil, "If-Match", version); a.Status != http.StatusPreconditionFailed {
		t.Errorf("removed by a version that is old: %d %s", a.Status, a.Body)
	}
	gone := w.Send(servertest.Steward, http.MethodDelete, path, nil, "If-Match", a.Header.Get("ETag"))
	if strings.Contains(string(gone.Body), `"style"`) || gone.Status != http.StatusOK || gone.Header.Get("ETag") != w.Version(servertest.Steward, "land") {
		t.Errorf("removed: %d %s", gone.Status, gone.Body)
	}
	w.Refuse(t, []servertest.Wrong{
		{Name: "no version", Account: servertest.Steward, Method: http.MethodPut, Path: path, Body: servertest.Style(), Status: http.StatusPreconditionRequired, Field: "If-Match"},
		{Name: "no version to remove", Account: servertest.Steward, Method: http.MethodDelete, Path: path, Status: http.StatusPreconditionRequired, Field: "If-Match"},
	})
}

// A refused fragment is refused by its path, with a code that the page has in both languages.
func TestLayerStyleIsRefusedByItsPath(t *testing.T) {
	w := newWorld(t, nil)
	body := strings.Replace(servertest.Style(), `{"$token":"levels.1"}`, `["case",true,{"$token":"pink"},"red"]`, 1)
	a := w.Send(servertest.Steward, http.MethodPut, "/api/v1/layers/land/style", json.RawMessage(body), "If-Match", w.Version(servertest.Steward, "land"))
	p := a.Problem(t)
	if a.Status != http.StatusBadRequest || p.Field != "style.layers[0].paint.fill-color[2]" || p.Code != catalogue.CodeStyleToken.Name() || p.Params["value"] != "pink" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}
