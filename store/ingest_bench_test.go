package store_test

import (
	"fmt"
	"testing"

	"onemap/sensors"
)

// BenchmarkCommitBatch stores new readings of 1,200 datastreams; b.N counts batches.
func BenchmarkCommitBatch(b *testing.B) {
	for _, size := range []int{10, 1000} {
		b.Run(fmt.Sprintf("%d readings", size), func(b *testing.B) {
			db := newCity(b, 600)
			ids := streamsOf(b, db)
			n := 0
			for b.Loop() {
				obs := make([]sensors.Observation, size)
				for i := range obs {
					obs[i] = reading(ids[n%len(ids)], n/len(ids), float64(i))
					n++
				}
				commit(b, db, obs...)
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "readings/s")
		})
	}
}

// BenchmarkDevices reads the whole city's snapshot.
func BenchmarkDevices(b *testing.B) {
	db := newCity(b, 600)
	for _, id := range streamsOf(b, db) {
		commit(b, db, reading(id, 0, 1))
	}
	for b.Loop() {
		if _, err := db.Devices(b.Context(), city, "", 0); err != nil {
			b.Fatal(err)
		}
	}
}
