// Package data has the data of the city that do not come from devices or people: the base data with their sources and
// licences, and the tables of hazards, observed properties and default rules.
//
// The base data are files in a folder (data/base). The program reads them at run time and does not embed them, because
// each file has a licence that differs from that of the program. Coordinates are [lon, lat] in EPSG:4326. Division
// codes are GB/T 2260 codes without padding.
package data
