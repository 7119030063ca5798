package main

import (
	"fmt"
	"strconv"
	"strings"

	"onemap/internal/benchkit"
)

// report is benchkit's, with rows of this program's figures.
type report struct{ benchkit.Report }

func (r *report) row(name string, clients int, runs []figures) {
	f := medians(runs)
	r.Head = strings.Split(" | clients | req/s | p50 ms | p95 ms | p99 ms | CPU ms a tile: server | PostgreSQL | the load | bytes a tile | tiles | others' cores", " | ")
	r.Row(name, strconv.Itoa(clients), benchkit.Number(f.rate), benchkit.Number(f.p50), benchkit.Number(f.p95), benchkit.Number(f.p99),
		benchkit.Number(f.server), benchkit.Number(f.postgres), benchkit.Number(f.client),
		fmt.Sprintf("%.0f", f.bytes), strconv.Itoa(f.tiles), fmt.Sprintf("%.2f", f.others))
}
