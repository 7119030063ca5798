package app

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	catalogueapi "onemap/catalogue/api"
	"onemap/internal/httpx"

	"github.com/paulmach/orb"

	"onemap/data"
	"onemap/internal/core"
	"onemap/internal/fault"
)

// sources returns the sources of the base data, for the credit line and the About page. If the base data are not on this
// machine, the server works without this list and logs a warning.
func (a *App) sources(ctx context.Context) ([]catalogueapi.Source, string, error) {
	dir, err := data.Find(a.o.BaseData)
	if fault.Is(err, fault.NotFound) && a.o.BaseData == "" {
		a.logger.WarnContext(ctx, "the base data's sources are not listed", "error", err)
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	all, err := data.Sources(dir)
	if err != nil {
		return nil, "", err
	}
	out := make([]catalogueapi.Source, len(all))
	for i, s := range all {
		out[i] = catalogueapi.Source{
			File: s.File, Title: s.Title, Source: s.Source, Version: s.Version, SHA256: s.SHA256, Licence: s.Licence,
			Origin: s.Origin, Attribution: s.Attribution, Note: s.Note,
		}
	}
	return out, data.Attribution(all), nil
}

// describeCity returns the city's name and extent, from the divisions, and whether devices are synthetic. The pages show
// both.
func (a *App) describeCity(ctx context.Context) (core.City, bool, error) {
	city := core.City{Code: a.o.City}
	// The bound begins empty, its minimum above its maximum, [lon, lat] in degrees. Extend then gives it the first
	// point.
	bound := orb.Bound{Min: orb.Point{180, 90}, Max: orb.Point{-180, -90}}
	divisions, err := a.db.Catalogue.Divisions(ctx, false)
	if err != nil {
		return city, false, fmt.Errorf("read the divisions: %w", err)
	}
	for _, d := range divisions {
		if a.cityScope().Covers(d.Code) {
			bound = bound.Extend(orb.Point{d.Lon, d.Lat})
		}
	}
	if city.Name, err = a.db.Catalogue.DivisionName(ctx, a.o.City); err != nil {
		return city, false, fmt.Errorf("read the city's name: %w", err)
	}
	layer, err := a.db.Catalogue.Layer(ctx, a.cityScope(), "county")
	switch {
	// The areas of the counties reach further than the points of the divisions.
	case err == nil && len(layer.BBox) == 4:
		bound = orb.Bound{Min: orb.Point{layer.BBox[0], layer.BBox[1]}, Max: orb.Point{layer.BBox[2], layer.BBox[3]}}
	case err != nil && !fault.Is(err, fault.NotFound):
		return city, false, fmt.Errorf("read the county layer: %w", err)
	}
	if bound.IsEmpty() {
		bound = orb.Bound{Min: orb.Point{73, 18}, Max: orb.Point{135, 54}} // no base data yet: show the whole country
	}
	center := bound.Center()
	city.BBox = []float64{bound.Min[0], bound.Min[1], bound.Max[0], bound.Max[1]}
	city.Center = []float64{center[0], center[1]}

	devices, err := a.db.Sensors.Devices(ctx, a.cityScope(), "", 0)
	if err != nil {
		return city, false, fmt.Errorf("read the devices: %w", err)
	}
	// One synthetic device is enough for the mark on the pages.
	for _, d := range devices.Devices {
		if d.Origin == core.OriginSynthetic {
			return city, true, nil
		}
	}
	return city, false, nil
}

// proxies parses the networks of the trusted proxies.
func (a *App) proxies() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range a.o.Proxy {
		p, err := httpx.ParseNetwork(s)
		if err != nil {
			return nil, fault.InvalidField("--proxy", "%q is neither a network like 10.0.0.0/8 nor an address like 127.0.0.1", s)
		}
		out = append(out, p)
	}
	return out, nil
}

// origins returns the addresses of the pages, without the slash that a browser adds.
func (a *App) origins() ([]string, error) {
	var out []string
	for _, s := range a.o.Origin {
		// An origin is a scheme, a host and a port, without a path. Source: RFC 6454, 6.
		origin := strings.ToLower(strings.TrimSuffix(s, "/"))
		u, err := url.Parse(origin)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || origin != u.Scheme+"://"+u.Host || u.Host == "" {
			return nil, fault.InvalidField("--origin", "%q is not an address like https://map.example.org, without a path", s)
		}
		out = append(out, origin)
	}
	return out, nil
}
