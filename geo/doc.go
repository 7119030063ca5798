// Package geo knows places: division codes of GB/T 2260, longitude and latitude and their checks,
// the frames that Chinese data comes in (WGS 84 and CGCS2000, GCJ-02, BD-09, Gauss–Krüger), the tile
// pyramid of Web Mercator, and distances.
//
// Everything is pure. A point is orb.Point{lon, lat} in degrees of EPSG:4326, unless a name says
// otherwise. CGCS2000 is treated as coincident with WGS 84: they differ by less than a metre.
package geo
