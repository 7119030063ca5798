// Package data holds what onemap knows of its city before anything is measured: the base data with their
// sources and licences, and the tables of hazards, observed properties and default rules.
//
// The base data are read at run time from a folder (data/base), so that files under their own licences stay
// separate files. Coordinates are lon, lat in EPSG:4326. Division codes are GB/T 2260 codes without padding.
package data
