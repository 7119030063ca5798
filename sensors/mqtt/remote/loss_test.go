package remote_test

import (
	"testing"
	"time"

	"onemap/sensors"
	"onemap/sensors/mqtt/remote"
	"onemap/sensors/mqtt/remote/mosquittotest"
)

// Mosquitto is killed twice under load. It acknowledges before it saves, so it loses what it acknowledged after its last save
// and had not delivered; no client can prevent this. Everything else is stored once.
func TestBrokerKilled(t *testing.T) {
	w := newTown(t, 10)
	b := mosquittotest.Start(t, mosquittotest.Durable)
	c := w.client(quick(b.URL()), w.ingest(sensors.IngestOptions{}, w.db.Sensors, w.reg))
	f := launch(t, b.Addr(), 10, 0)
	unsaved := map[string]map[int]bool{} // by device: acknowledged after the last save before a kill
	for kill := range 2 {
		eventually(t, "readings are acknowledged", func() bool { return f.count.Load() > int64(1000*(kill+1)) })
		saved := f.snapshot()
		b.Save()
		at := f.count.Load()
		eventually(t, "and more after the save", func() bool { return f.count.Load() > at+200 })
		b.Kill()
		for id, n := range f.snapshot() {
			if unsaved[id] == nil {
				unsaved[id] = map[int]bool{}
			}
			for i := saved[id]; i <= n; i++ { // the last may have been acknowledged without our knowing yet
				unsaved[id][i] = true
			}
		}
		b.Restart()
		// The devices may reconnect before the client, and the next kill must cut a live connection.
		eventually(t, "the client is connected again", func() bool { return c.Stats().Reconnects > uint64(kill) && c.Connected() })
	}
	before := f.count.Load()
	eventually(t, "readings are acknowledged again", func() bool { return f.count.Load() > before+500 })
	f.halt()
	died := 0
	eventually(t, "everything else is stored", func() bool {
		died = 0
		for id, n := range f.snapshot() {
			for _, i := range w.absent(f, id, n) {
				if !unsaved[id][i] {
					return false
				}
				died++
			}
		}
		return true
	})
	t.Logf("%d acknowledged, 2 kills, %d died with Mosquitto, which had not saved them; of the others none is missing", f.count.Load(), died)
	w.noneTwice(int(f.count.Load()) + 10) // one of each device may be stored and not acknowledged
}

// While the client is disconnected, everything waits at the broker, which is killed meanwhile. Everything that it had saved
// arrives, once.
func TestBrokerKilledWhileItKeeps(t *testing.T) {
	w := newTown(t, 5)
	b := mosquittotest.Start(t, mosquittotest.Durable)
	in := w.ingest(sensors.IngestOptions{}, w.db.Sensors, w.reg)
	w.stop(w.client(quick(b.URL()), in))
	f := launch(t, b.Addr(), 5, 600) // more than Mosquitto's default keeps
	f.wg.Wait()
	b.Save()
	b.Kill()
	b.Restart()
	if n := w.stored(); n != 0 {
		t.Fatalf("%d stored while the client was away", n)
	}
	w.client(quick(b.URL()), in)
	eventually(t, "everything is stored", func() bool { return w.stored() == 3000 })
	if n := w.missing(f, f.snapshot()); n != 0 {
		t.Errorf("%d are missing", n)
	}
	w.noneTwice(3000)
}

// A broker without persistence loses the session when it is killed. The client subscribes again and reports a possible loss.
func TestBrokerForgetsTheSession(t *testing.T) {
	w := newTown(t, 1)
	b := mosquittotest.Start(t, "persistence false\n")
	c := w.client(quick(b.URL()), w.ingest(sensors.IngestOptions{}, w.db.Sensors, w.reg))
	if n := c.Stats().Refused["session-forgotten"]; n != 0 {
		t.Fatalf("%d sessions were forgotten before anything happened", n)
	}
	b.Kill()
	eventually(t, "the part is unwell", func() bool { return !c.Health().OK })
	b.Restart()
	eventually(t, "it is well again", func() bool { return c.Health().OK && c.Stats().Reconnects == 1 })
	if n := c.Stats().Refused["session-forgotten"]; n != 1 {
		t.Errorf("%d sessions were forgotten, want 1", n)
	}
	publish(t, device(t, b.Addr()), obsTopic("dev-0"), 1, false, reading(begin(), 1))
	eventually(t, "it is subscribed again", func() bool { return w.stored() == 1 })
}

// The network is silently cut: no bytes pass, and no connection is closed.
func TestNetworkCut(t *testing.T) {
	w := newTown(t, 5)
	b := mosquittotest.Start(t, mosquittotest.Durable)
	p := newProxy(t, b.Addr())
	c := w.client(watchful("mqtt://"+p.addr), w.ingest(sensors.IngestOptions{}, w.db.Sensors, w.reg))
	f := launch(t, b.Addr(), 5, 0)
	for cut := range 2 {
		eventually(t, "readings are stored", func() bool { return w.stored() > 500*(cut+1) })
		p.cut()
		eventually(t, "the cut is noticed", func() bool { return !c.Health().OK })
		at := f.count.Load()
		eventually(t, "devices publish meanwhile", func() bool { return f.count.Load() > at+300 })
		p.heal()
		eventually(t, "it is connected again", c.Connected)
	}
	f.halt()
	total := int(f.count.Load())
	eventually(t, "everything acknowledged is stored", func() bool { return w.missing(f, f.snapshot()) == 0 })
	t.Logf("%d acknowledged over 2 cuts, 0 missing", total)
	w.noneTwice(total + 5)
	if n := c.Stats().Refused["session-forgotten"]; n != 0 {
		t.Errorf("the session was forgotten %d times", n)
	}
}

// A reading without its own time that is redelivered is still one reading.
func TestRedeliveredWithoutTime(t *testing.T) {
	w := newTown(t, 3)
	b := mosquittotest.Start(t, mosquittotest.Durable)
	p := newProxy(t, b.Addr())
	store := &faulty{DB: w.db.Sensors}
	in := w.ingest(sensors.IngestOptions{ProbeMin: 10 * time.Millisecond, ProbeMax: 50 * time.Millisecond}, store, sensors.NewRegistry(store, sensors.RegistryOptions{}, nil, nil))
	c := w.client(watchful("mqtt://"+p.addr), in)
	dev := device(t, b.Addr())
	publish(t, dev, obsTopic("dev-0"), 1, false, `{"v":{"level":1}}`)
	eventually(t, "it is stored", func() bool { return w.stored() == 1 })

	store.hold.Lock() // commits wait, and so do the acknowledgements
	for _, id := range []string{"dev-0", "dev-1", "dev-2"} {
		publish(t, dev, obsTopic(id), 1, false, `{"v":{"level":2}}`)
	}
	eventually(t, "they arrived", func() bool { return c.Stats().QoS1 >= 4 })
	p.cut()
	eventually(t, "the cut is noticed", func() bool { return !c.Connected() })
	before := c.Stats().QoS1
	p.heal()
	eventually(t, "they arrived again", func() bool { return c.Stats().QoS1 >= before+3 })
	store.hold.Unlock()
	eventually(t, "they are stored", func() bool { return w.stored() >= 4 })
	w.stop(c) // which acknowledges, and so has stored, all that it took
	w.noneTwice(4)
}

// The client waits for a full queue; the in-flight window of the broker holds the rest.
func TestBackpressure(t *testing.T) {
	w := newTown(t, 20)
	b := mosquittotest.Start(t, mosquittotest.Durable)
	store := &faulty{DB: w.db.Sensors}
	in := w.ingest(sensors.IngestOptions{MaxQueue: 4}, store, w.reg)
	w.stop(w.client(quick(b.URL()), in))
	f := launch(t, b.Addr(), 20, 100)
	f.wg.Wait()
	store.hold.Lock() // until more has come than the queue takes
	c := w.client(quick(b.URL()), in)
	eventually(t, "the queue is full", func() bool { return in.Stats().Totals.Refused > 0 })
	store.hold.Unlock()
	eventually(t, "everything is stored", func() bool { return w.missing(f, f.snapshot()) == 0 })
	w.noneTwice(2000)
	if s := c.Stats(); s.Reconnects != 0 || s.Refused["unstored"] != 0 {
		t.Errorf("stats %+v", s)
	}
}

// What exceeds the window is dropped and sent again. Everything arrives at the end.
func TestOverrun(t *testing.T) {
	w := newTown(t, 5)
	b := mosquittotest.Start(t, mosquittotest.Durable)
	store := &faulty{DB: w.db.Sensors}
	in := w.ingest(sensors.IngestOptions{}, store, w.reg)
	opts := quick(b.URL())
	w.stop(w.client(opts, in))
	f := launch(t, b.Addr(), 5, 100)
	f.wg.Wait()
	opts.MaxPending = 40 // of an in-flight window of 1,000
	opts.RetryMin, opts.RetryMax = time.Millisecond, time.Millisecond
	store.hold.Lock() // until more has come than the window holds
	c, err := remote.New(opts, in, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Start()
	t.Cleanup(func() { w.stop(c) })
	eventually(t, "the window is full", func() bool { return c.Stats().QoS1 > uint64(opts.MaxPending)+1 })
	store.hold.Unlock()
	eventually(t, "everything is stored", func() bool { return w.missing(f, f.snapshot()) == 0 })
	w.noneTwice(500)
	eventually(t, "the rest came over another connection", func() bool { return c.Stats().Reconnects > 0 })
}
