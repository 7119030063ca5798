// Package geo has the geography that all domains share: division codes of GB/T 2260, checks and parsing of longitude and
// latitude, the coordinate frames of Chinese data (WGS 84 and CGCS2000, GCJ-02, BD-09, Gauss–Krüger), the tiles of Web
// Mercator, and distances.
//
// All functions are pure. A point is orb.Point{lon, lat} in degrees of EPSG:4326, unless the comment states another
// frame. CGCS2000 is treated as equal to WGS 84: they differ by less than a metre.
package geo
