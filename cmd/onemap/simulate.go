package main

import (
	"context"
	"fmt"
	"time"

	"onemap/demo"
	"onemap/internal/config"
)

// simulateCmd is the subcommand simulate.
type simulateCmd struct {
	config.Database
	MQTT        string        `name:"mqtt" help:"Address of the broker." default:"127.0.0.1:1883" placeholder:"ADDR"`
	Credentials string        `help:"JSON file {\"devices\":{\"ID\":\"SECRET\"}}, as the demo's secrets.json." required:"" placeholder:"FILE" type:"existingfile"`
	Seed        uint64        `help:"Seed of the signals." default:"1"`
	Speed       float64       `help:"How many times faster than the clock signals and scenes run." default:"1"`
	Interval    time.Duration `help:"How often each device publishes." default:"10s"`
	Scene       string        `help:"Scene to play: heavy_rain, chlorine_leak, storm_surge, silent_device or none." default:"none" enum:"heavy_rain,chlorine_leak,storm_surge,silent_device,none"`
	SceneAfter  time.Duration `help:"When the scene begins, after the start." default:"1m"`
}

// Run publishes until the context ends. It reads the devices and their datastreams from the database. A device without a
// secret in the file does not publish.
func (c *simulateCmd) Run(ctx context.Context, s *session) error {
	url, err := c.URL()
	if err != nil {
		return err
	}
	fmt.Println("publishing; stop with Ctrl-C")
	return demo.Simulate(ctx, url, demo.SimulateOptions{
		Broker: c.MQTT, Credentials: c.Credentials, Seed: c.Seed, Speed: c.Speed, Interval: c.Interval,
		Scene: c.Scene, SceneAfter: c.SceneAfter,
	}, s.logger)
}
