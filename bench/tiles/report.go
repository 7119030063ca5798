package main

import (
	"fmt"
	"strconv"
	"strings"

	"onemap/bench/kit"
)

// report is the report of package kit, with rows of this program's figures.
type report struct{ kit.Report }

// row adds a row with the medians of the runs.
func (r *report) row(name string, clients int, runs []figures) {
	f := medians(runs)
	r.Head = strings.Split(" | clients | req/s | p50 ms | p95 ms | p99 ms | CPU ms a tile: server | PostgreSQL | the load | bytes a tile | tiles | others' cores", " | ")
	r.Row(name, strconv.Itoa(clients), kit.Number(f.rate), kit.Number(f.p50), kit.Number(f.p95), kit.Number(f.p99),
		kit.Number(f.server), kit.Number(f.postgres), kit.Number(f.client),
		fmt.Sprintf("%.0f", f.bytes), strconv.Itoa(f.tiles), fmt.Sprintf("%.2f", f.others))
}
