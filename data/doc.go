// Package data holds what onemap knows of its city before anybody measures anything: the base data
// with their sources and licences, read at run time from a folder (data/base) so that files under
// their own licences stay separate files; the tables of hazards, observed properties and default
// rules; and the seeded generator of a synthetic city for demonstrations.
//
// Coordinates are lon, lat in EPSG:4326; division codes are GB/T 2260 without padding.
package data
