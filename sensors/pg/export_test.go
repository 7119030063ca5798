package sensorspg

// ChartSQL is the statement of a chart.
const ChartSQL = chartSQL

// EventsSQL is the statement of a list of events.
var EventsSQL = eventsSQL

// ShareOf returns the number of rows that each owner may keep.
var ShareOf = shareOf
