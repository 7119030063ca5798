package catalogueapi_test

import (
	"net/http"
	"testing"

	"onemap/catalogue"
	catalogueapi "onemap/catalogue/api"
	"onemap/internal/httpx"
	"onemap/web/server/servertest"
)

func TestPlaces(t *testing.T) {
	w := newWorld(t, nil)
	var all httpx.List[catalogue.Division]
	w.Send(servertest.Observer, http.MethodGet, "/api/v1/divisions", nil).Decode(t, &all)
	if len(all.Items) != 2 || all.Items[0].Code != "370602" {
		t.Errorf("counties: %+v", all.Items)
	}
	w.Send(servertest.Observer, http.MethodGet, "/api/v1/divisions?level=town", nil).Decode(t, &all)
	if len(all.Items) != 1 || all.Items[0].Code != "370602001" {
		t.Errorf("towns: %+v", all.Items)
	}
	var hits httpx.List[catalogue.Hit]
	w.Send(servertest.R14, http.MethodGet, "/api/v1/search?q=dev-", nil).Decode(t, &hits)
	for _, h := range hits.Items {
		if h.Division != "370614" {
			t.Errorf("370614 finds %+v", h)
		}
	}
	if len(hits.Items) == 0 {
		t.Error("nothing is found")
	}
	var sources catalogueapi.Sources
	w.Send(servertest.Observer, http.MethodGet, "/api/v1/sources", nil).Decode(t, &sources)
	if len(sources.Items) != 1 || sources.Attribution != "credits" {
		t.Errorf("sources: %+v", sources)
	}
}
