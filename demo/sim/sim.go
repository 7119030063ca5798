// Package sim simulates devices. Each device has an MQTT connection with a secret of its own, a retained status with a
// last will, and readings at QoS 1 that it keeps until the broker acknowledges them, as a real device does.
//
// The signals are pure functions of the seed, the datastream and the time: the sum of a mean, a season, a daily cycle
// and AR(1) noise, always inside the normal range. A scene moves a few of them across the thresholds and back. All
// published data are synthetic.
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

// Device is a device that the simulator simulates.
type Device struct {
	ID       string
	Secret   string
	Division string  // county code of six digits; part of the topic
	Site     string  // name of the site; a scene treats the distance of two devices at one site as 0
	Lon, Lat float64 // degrees, EPSG:4326
	Streams  []Stream
}

// Stream is one datastream of a device.
type Stream struct {
	Name string // key in the payload
	Type string // code of a datastream type: water_level, rain …
}

// Options are the settings of Run. A zero value means the default that the comment of the field states last.
type Options struct {
	Broker      string           // host:port; 127.0.0.1:1883
	Devices     []Device         // the devices that publish
	Seed        uint64           // of the signals and of the choices of a scene
	Speed       float64          // how many times faster than the clock the signals and scenes run; 1
	Scene       string           // code of a scene; "none" or empty: no scene
	SceneAfter  time.Duration    // from the start of Run to the start of the scene, by the clock; 0
	Interval    time.Duration    // between two readings of a device; 10 s
	ConnectRate float64          // largest number of new connections in a second; 50
	Quiet       bool             // at the end of Run the devices disconnect without the status "offline"
	Logger      *slog.Logger     // no log
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

// Run publishes until ctx ends. Then each connected device publishes the status "offline" (unless Quiet is set) and
// disconnects. If the broker is not available, a device reconnects without a limit, at growing intervals with jitter.
// Run returns fault.Invalid for bad options and fault.NotFound if no device fits the scene.
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

// script is the scene of a run with its time. All devices share it, and it never changes.
type script struct {
	scene Scene
	plan  Plan
	start time.Time // of the run
	after time.Duration
	speed float64
	seed  uint64
}

// newScript returns the script of a run that starts now. It has no scene if the options name none.
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

// sceneTime returns the time since the start of the scene, multiplied by the speed. It is negative before the start.
func (s *script) sceneTime(now time.Time) time.Duration {
	return time.Duration(float64(now.Sub(s.start)-s.after) * s.speed)
}

// value returns the value of a datastream now, rounded as its type requires.
func (s *script) value(device string, stream Stream, now time.Time) float64 {
	n, _ := normalOf(stream.Type)
	at := s.start.Add(time.Duration(float64(now.Sub(s.start)) * s.speed))
	v := n.at(s.seed, device+"/"+stream.Name, at)
	if s.scene.Code != "" {
		v = s.plan.apply(device, stream, v, s.sceneTime(now))
	}
	return n.round(v)
}

// silent reports whether the scene keeps the device without a connection now.
func (s *script) silent(device string, now time.Time) bool {
	if s.scene.Code == "" || s.plan.Silent != device {
		return false
	}
	t := s.sceneTime(now)
	return t >= 0 && t < s.scene.Silence
}

// targets lists the datastreams and the silent device of the scene, for the log.
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
