package sensorspg

// ChartSQL is what a chart reads.
const ChartSQL = chartSQL

// EventsSQL is a list of events.
var EventsSQL = eventsSQL

// ShareOf is how many rows each may keep.
var ShareOf = shareOf
