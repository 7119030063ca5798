package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"time"

	"onemap/internal/app/stores"

	"onemap/demo/sim"
	"onemap/internal/fault"
	"onemap/sensors"
)

// SimulateOptions are the settings of the simulator. See sim.Options for the fields that both have.
type SimulateOptions struct {
	Broker      string // host:port
	Credentials string // path of the JSON file with the secrets of the devices
	Seed        uint64
	Speed       float64
	Interval    time.Duration
	Scene       string
	SceneAfter  time.Duration
	Quiet       bool // for a simulator that ends together with its server: the devices do not publish "offline"
}

// Simulate publishes for the devices of the database whose secrets are in the file, until ctx ends. It reads the
// devices once at the start. It returns fault.Invalid if the file cannot be read or has no secret of a device of the
// database.
func Simulate(ctx context.Context, url string, o SimulateOptions, logger *slog.Logger) error {
	b, err := os.ReadFile(o.Credentials)
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "--credentials cannot be read")
	}
	var s secrets
	if err := json.Unmarshal(b, &s); err != nil {
		return fault.Wrap(fault.Invalid, err, "--credentials %s", o.Credentials)
	}
	db, err := stores.Open(ctx, stores.Options{URL: url, MaxConns: 2, Logger: logger})
	if err != nil {
		return err
	}
	known, err := db.Sensors.LoadRegistry(ctx)
	db.Close()
	if err != nil {
		return err
	}
	var devices []sensors.Device
	for _, k := range known {
		if s.Devices[k.ID] != "" {
			devices = append(devices, k.Device)
		}
	}
	if len(devices) == 0 {
		return fault.InvalidField("--credentials", "%s has no secret of a device of this database", o.Credentials)
	}
	return simulate(ctx, devices, s.Devices, o, logger)
}

// simulate runs the simulator for the devices until ctx ends. secret holds the secrets by device id.
func simulate(ctx context.Context, devices []sensors.Device, secret map[string]string, o SimulateOptions, logger *slog.Logger) error {
	opts := sim.Options{
		Broker: o.Broker, Seed: o.Seed, Speed: o.Speed, Scene: o.Scene, SceneAfter: o.SceneAfter, Interval: o.Interval, Quiet: o.Quiet, Logger: logger,
	}
	for _, d := range devices {
		s := sim.Device{ID: d.ID, Secret: secret[d.ID], Division: d.Division, Site: d.Site, Lon: d.Lon, Lat: d.Lat}
		for _, ds := range d.Streams {
			s.Streams = append(s.Streams, sim.Stream{Name: ds.Name, Type: ds.Type})
		}
		opts.Devices = append(opts.Devices, s)
	}
	if err := sim.Run(ctx, opts); err != nil && ctx.Err() == nil {
		return fmt.Errorf("simulate: %w", err)
	}
	return nil
}
