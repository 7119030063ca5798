// Package sim publishes as real devices do: one MQTT connection a device with its own secret, a
// retained status with a last will, readings at QoS 1 that are kept until they are acknowledged.
//
// Its signals are pure functions of the seed, the datastream and the time: a season, a day and AR(1)
// noise, always well inside the normal range. A scene, scripted as data, lets a few of them rise
// through the thresholds and come back. What it publishes is synthetic.
package sim

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"onemap/internal/fault"
)

// Device is one that the simulator speaks for.
type Device struct {
	ID       string
	Secret   string
	Division string // six digits, the topic's
	Site     string // what it stands on; devices of one site share a scene
	Lon, Lat float64
	Streams  []Stream
}

// Stream is one datastream of a device.
type Stream struct {
	Name string // the key in the payload
	Type string // a datastream type's code: water_level, rain …
}

// Options are what Run needs. The zero value of each is the default named.
type Options struct {
	Broker      string           // host:port; 127.0.0.1:1883
	Devices     []Device         // who publishes
	Seed        uint64           // of the signals and of a scene's choices
	Speed       float64          // how many times faster than the clock signals and scenes run; 1
	Scene       string           // a code of Scenes, or none (as empty)
	SceneAfter  time.Duration    // from the start, by the clock; at once
	Interval    time.Duration    // between two readings of a device; 10 s
	ConnectRate float64          // connections opened a second; 50
	Quiet       bool             // the end of Run is not the devices' end: they disconnect and do not say that they are off line
	Logger      *slog.Logger     // silent
	Clock       func() time.Time // time.Now
}

func (o Options) withDefaults() Options {
	if o.Broker == "" {
		o.Broker = "127.0.0.1:1883"
	}
	if o.Speed == 0 {
		o.Speed = 1
	}
	if o.Interval == 0 {
		o.Interval = 10 * time.Second
	}
	if o.ConnectRate == 0 {
		o.ConnectRate = 50
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return o
}

func (o Options) check() error {
	switch {
	case o.Speed < 0:
		return fault.InvalidField("speed", "must be above 0")
	case o.Interval < 0:
		return fault.InvalidField("interval", "must be above 0")
	case o.ConnectRate < 0:
		return fault.InvalidField("connect-rate", "must be above 0")
	case o.SceneAfter < 0:
		return fault.InvalidField("scene-after", "must not be negative")
	}
	for _, d := range o.Devices {
		for _, s := range d.Streams {
			if _, ok := normalOf(s.Type); !ok {
				return fault.InvalidField("devices", "%s.%s: no signal for the type %q", d.ID, s.Name, s.Type)
			}
		}
	}
	return nil
}

// Run publishes until ctx ends, and then publishes a good-bye for every device. If the broker is not available, it
// reconnects without a limit, at growing intervals with jitter. It returns fault.Invalid for bad options.
func Run(ctx context.Context, o Options) error {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return err
	}
	play, err := newScript(o)
	if err != nil {
		return err
	}
	if play.scene.Code != "" {
		o.Logger.InfoContext(ctx, "a scene is planned", "scene", play.scene.Code, "after", o.SceneAfter, "targets", play.targets())
	}
	gate := rate.NewLimiter(rate.Limit(o.ConnectRate), max(1, int(o.ConnectRate/5)))
	var wg sync.WaitGroup
	for _, d := range o.Devices {
		wg.Go(func() { newActor(o, d, play, gate).run(ctx) })
	}
	wg.Wait()
	return nil
}

// script is what is played and since when.
type script struct {
	scene Scene
	plan  Plan
	start time.Time // of the run
	after time.Duration
	speed float64
	seed  uint64
}

func newScript(o Options) (*script, error) {
	s := &script{start: o.Clock(), after: o.SceneAfter, speed: o.Speed, seed: o.Seed}
	if o.Scene == "" || o.Scene == "none" {
		return s, nil
	}
	scene, ok := sceneOf(o.Scene)
	if !ok {
		return nil, fault.InvalidField("scene", "%q is not one of %v", o.Scene, Codes())
	}
	plan, err := NewPlan(scene, o.Devices, o.Seed)
	if err != nil {
		return nil, fmt.Errorf("plan the scene: %w", err)
	}
	s.scene, s.plan = scene, plan
	return s, nil
}

// sceneTime is how long the scene has run, in its own time; negative before it.
func (s *script) sceneTime(now time.Time) time.Duration {
	return time.Duration(float64(now.Sub(s.start)-s.after) * s.speed)
}

// value is what a datastream measures now.
func (s *script) value(device string, stream Stream, now time.Time) float64 {
	n, _ := normalOf(stream.Type)
	at := s.start.Add(time.Duration(float64(now.Sub(s.start)) * s.speed))
	v := n.at(s.seed, device+"/"+stream.Name, at)
	if s.scene.Code != "" {
		v = s.plan.apply(device, stream, v, s.sceneTime(now))
	}
	return n.round(v)
}

// silent reports whether the device has gone silent now.
func (s *script) silent(device string, now time.Time) bool {
	if s.scene.Code == "" || s.plan.Silent != device {
		return false
	}
	t := s.sceneTime(now)
	return t >= 0 && t < s.scene.Silence
}

func (s *script) targets() []string {
	var list []string
	for _, t := range s.plan.Targets {
		list = append(list, t.Device+"/"+t.Stream)
	}
	if s.plan.Silent != "" {
		list = append(list, s.plan.Silent)
	}
	return list
}
