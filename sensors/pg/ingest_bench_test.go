package sensorspg_test

import (
	"fmt"
	"testing"

	"onemap/internal/app/stores/storetest"
	"onemap/sensors"
)

// BenchmarkCommitBatch stores new readings of 1,200 datastreams; b.N counts batches.
func BenchmarkCommitBatch(b *testing.B) {
	for _, size := range []int{10, 1000} {
		b.Run(fmt.Sprintf("%d readings", size), func(b *testing.B) {
			db := storetest.NewCity(b, 600)
			ids := storetest.StreamsOf(b, db)
			n := 0
			for b.Loop() {
				obs := make([]sensors.Observation, size)
				for i := range obs {
					obs[i] = storetest.Reading(ids[n%len(ids)], n/len(ids), float64(i))
					n++
				}
				storetest.Commit(b, db, obs...)
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "readings/s")
		})
	}
}

// BenchmarkDevices reads the snapshot of the whole city.
func BenchmarkDevices(b *testing.B) {
	db := storetest.NewCity(b, 600)
	for _, id := range storetest.StreamsOf(b, db) {
		storetest.Commit(b, db, storetest.Reading(id, 0, 1))
	}
	for b.Loop() {
		if _, err := db.Sensors.Devices(b.Context(), storetest.CityScope(), "", 0); err != nil {
			b.Fatal(err)
		}
	}
}
