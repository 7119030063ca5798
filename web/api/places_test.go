package api

import (
	"net/http"
	"testing"

	"onemap/catalogue"
)

func TestPlaces(t *testing.T) {
	w := newWorld(t, nil)
	var all List[catalogue.Division]
	w.send(observer, http.MethodGet, "/api/v1/divisions", nil).decode(t, &all)
	if len(all.Items) != 2 || all.Items[0].Code != "370602" {
		t.Errorf("counties: %+v", all.Items)
	}
	w.send(observer, http.MethodGet, "/api/v1/divisions?level=town", nil).decode(t, &all)
	if len(all.Items) != 1 || all.Items[0].Code != "370602001" {
		t.Errorf("towns: %+v", all.Items)
	}
	var hits List[catalogue.Hit]
	w.send(r14, http.MethodGet, "/api/v1/search?q=dev-", nil).decode(t, &hits)
	for _, h := range hits.Items {
		if h.Division != "370614" {
			t.Errorf("370614 finds %+v", h)
		}
	}
	if len(hits.Items) == 0 {
		t.Error("nothing is found")
	}
	var sources Sources
	w.send(observer, http.MethodGet, "/api/v1/sources", nil).decode(t, &sources)
	if len(sources.Items) != 1 || sources.Attribution != "credits" {
		t.Errorf("sources: %+v", sources)
	}
}
