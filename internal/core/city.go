package core

// City is the city that this server serves.
type City struct {
	Code   string    `json:"code" doc:"GB/T 2260, unpadded"`
	Name   Text      `json:"name"`
	BBox   []float64 `json:"bbox" doc:"west, south, east, north"`
	Center []float64 `json:"center" doc:"lon, lat"`
}
