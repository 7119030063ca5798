package tiles

import (
	"time"

	"onemap/internal/core"
)

// LayerState is how a layer is doing in the engine.
type LayerState struct {
	Layer            string         `json:"layer"`
	Title            core.Text      `json:"title"`
	Source           string         `json:"source" enum:"memory,database,loading" doc:"Where its tiles are made"`
	Features         int64          `json:"features" doc:"That are drawn and that the caller may see; of a layer that the database draws, what the catalogue says"`
	Vertices         int64          `json:"vertices"`
	Bytes            int64          `json:"bytes" doc:"Of memory, near enough"`
	CatalogueVersion int64          `json:"catalogue_version" doc:"Grows with every change of the layer"`
	LoadedAt         *time.Time     `json:"loaded_at,omitempty"`
	LoadSeconds      float64        `json:"load_seconds"`
	LastChange       *time.Time     `json:"last_change,omitempty" doc:"When the newest change that is in the tiles was written"`
	Changes          int64          `json:"changes" doc:"Features changed since the server started"`
	LagSeconds       float64        `json:"lag_seconds" doc:"From the writing of the newest change until the tiles showed it"`
	TilesCached      int            `json:"tiles_cached"`
	Thinned          int64          `json:"thinned" doc:"Parts of tiles that were over their budget of bytes"`
	UndrawnCount     int            `json:"undrawn_count" doc:"Features that are not, or not wholly, shown"`
	Undrawn          []Undrawn      `json:"undrawn" doc:"The first 100 of them"`
	Rules            core.TileRules `json:"rules"`
}

// Undrawn is a feature, or a part of one, that tiles do not show.
type Undrawn struct {
	ID       int64  `json:"id"`
	Division string `json:"division"`
	Reason   string `json:"reason"`
	Partly   bool   `json:"partly" doc:"The rest of it is shown"`
}

// EngineState is how the engine is doing as a whole.
type EngineState struct {
	Feed  FeedState  `json:"feed"`
	Cache CacheState `json:"cache"`
}

// FeedState is how the change feed is doing.
type FeedState struct {
	OK         bool    `json:"ok"`
	AgeSeconds float64 `json:"age_seconds" doc:"Since it was last read to its end"`
	Detail     string  `json:"detail"` // in English

	Code   string            `json:"code,omitempty"`   // names the sentence of the detail
	Params map[string]string `json:"params,omitempty"` // what goes into it
}

// CacheState is what the cache of tiles holds.
type CacheState struct {
	Bytes    int64 `json:"bytes"`
	MaxBytes int64 `json:"max_bytes"`
	Hits     int64 `json:"hits"`
	Misses   int64 `json:"misses"`
}
