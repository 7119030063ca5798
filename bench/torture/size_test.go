package torture_test

import (
	"os"
	"testing"
	"time"
)

// size is the amount of work of a case. The numbers of messages and episodes are per device.
type size struct {
	devices, messages, episodes int
	window                      int           // publishes of a device that wait for their acknowledgement
	faults                      int           // how often what the case breaks is broken
	outage                      time.Duration // how long it stays broken, where the case can tell that by nothing else
}

// total returns the number of messages of all devices.
func (s size) total() int { return s.devices * s.messages }

// sideBySide lets small cases run in parallel; each has a database and a server of its own.
func sideBySide(t *testing.T) {
	if !full() {
		t.Parallel()
	}
}

// full reports whether the tests run at full size.
func full() bool { return os.Getenv("TORTURE") == "full" }

// sized returns a case's size: the small one, unless TORTURE=full.
func sized(small, large size) size {
	if full() {
		return large
	}
	return small
}

// The sizes of the cases. The full sizes are those that docs/reliability.md reports.
func killSize() size {
	return sized(size{devices: 40, messages: 150, episodes: 2, window: 16, faults: 5}, size{devices: 1000, messages: 200, episodes: 2, window: 16, faults: 5})
}

func databaseKillSize() size {
	return sized(size{devices: 40, messages: 100, episodes: 2, window: 16, faults: 2}, size{devices: 1000, messages: 200, episodes: 2, window: 16, faults: 5})
}

func stallSize() size {
	return sized(size{devices: 40, messages: 100, episodes: 2, window: 16, faults: 1, outage: 4 * time.Second},
		size{devices: 1000, messages: 200, episodes: 2, window: 16, faults: 1, outage: time.Minute})
}

func poolSize() size {
	return sized(size{devices: 40, messages: 100, episodes: 2, window: 16, faults: 2, outage: time.Second},
		size{devices: 1000, messages: 100, episodes: 2, window: 16, faults: 2, outage: 20 * time.Second})
}

func diskSize() size {
	return sized(size{devices: 40, messages: 100, episodes: 2, window: 16, faults: 1, outage: time.Second},
		size{devices: 1000, messages: 100, episodes: 2, window: 16, faults: 1, outage: 20 * time.Second})
}

func remoteSize() size {
	return sized(size{devices: 30, messages: 100, episodes: 2, window: 16, faults: 4}, size{devices: 500, messages: 200, episodes: 2, window: 16, faults: 6})
}

func duplicateSize() size {
	return sized(size{devices: 30, messages: 60, episodes: 2, window: 16}, size{devices: 500, messages: 100, episodes: 2, window: 16})
}

func clockSize() size {
	return sized(size{devices: 30, messages: 100, episodes: 3, window: 1, faults: 1}, size{devices: 500, messages: 200, episodes: 3, window: 1, faults: 3})
}

func garbageSize() size {
	return sized(size{devices: 30, messages: 150, episodes: 2, window: 16}, size{devices: 500, messages: 200, episodes: 2, window: 16})
}
