package sensors

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// RegistryOptions tunes the registry.
type RegistryOptions struct {
	// MissInterval is how long after one reload a miss may cause the next; 0 is 2 s. It bounds what
	// strangers who try names can cost the database.
	MissInterval time.Duration
	// ReloadTimeout bounds a reload that a miss or a login has caused; 0 is 5 s.
	ReloadTimeout time.Duration
}

// Stream is a datastream with what its type says of plausible values.
type Stream struct {
	Datastream
	Min, Max float64 // gross range, both inside
	Ranged   bool    // false: the type is unknown, and no range is checked
}

// Known is a device of the registry. It is shared and must not be changed.
type Known struct {
	RegisteredDevice
	Clock  time.Duration // how wrong its clock was when the registry was read, its time less ours; 0: right
	byName map[string]*Stream
}

// Stream looks a datastream up by its name in payloads.
func (k *Known) Stream(name string) (Stream, bool) {
	s, ok := k.byName[name]
	if !ok {
		return Stream{}, false
	}
	return *s, true
}

// interval is the pace expected of a datastream; 0 when the device does not have it.
func (k *Known) interval(stream int64) time.Duration {
	for i := range k.Streams {
		if k.Streams[i].ID == stream {
			return time.Duration(k.Streams[i].IntervalS) * time.Second
		}
	}
	return 0
}

// Registry holds in memory who may publish what. It is safe for concurrent use: readers take one
// atomic load.
type Registry struct {
	store RegistryStore
	opts  RegistryOptions
	log   *slog.Logger
	clock func() time.Time

	devices   atomic.Pointer[map[string]*Known]
	certs     atomic.Pointer[map[string]*Known] // by the SHA-256 of a client certificate
	owners    atomic.Pointer[map[int64]*Known]  // by datastream
	seq       atomic.Pointer[int64]             // RegistrySeq before what is known was read; nil: nothing was
	asking    sharedCall                        // of Current
	loading   sync.Mutex                        // one reload at a time; guards what follows
	attempted time.Time                         // when a miss last caused a reload
	missErr   error                             // how that ended
	reloaded  []func()
}

// NewRegistry makes an empty registry: Reload fills it, or the first miss does.
func NewRegistry(store RegistryStore, opts RegistryOptions, log *slog.Logger, clock func() time.Time) *Registry {
	if opts.MissInterval == 0 {
		opts.MissInterval = 2 * time.Second
	}
	if opts.ReloadTimeout == 0 {
		opts.ReloadTimeout = 5 * time.Second
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if clock == nil {
		clock = time.Now
	}
	r := &Registry{store: store, opts: opts, log: log, clock: clock}
	r.devices.Store(&map[string]*Known{})
	r.certs.Store(&map[string]*Known{})
	r.owners.Store(&map[int64]*Known{})
	return r
}

// OnReload lets f be called after each reload, before Reload returns: with what is known now, those
// who were let in before can be looked at again. f must not block and not reload.
func (r *Registry) OnReload(f func()) {
	r.loading.Lock()
	defer r.loading.Unlock()
	r.reloaded = append(r.reloaded, f)
}

// Reload reads every enabled device anew. On an error (fault.Unavailable when the database is away)
// what was known stays.
func (r *Registry) Reload(ctx context.Context) error {
	r.loading.Lock()
	defer r.loading.Unlock()
	return r.reload(ctx)
}

func (r *Registry) reload(ctx context.Context) error {
	seq, err := r.store.RegistrySeq(ctx) // before what it counts: what is known is as new as that at least
	if err != nil {
		return fmt.Errorf("ask for changes of the devices: %w", err)
	}
	types, err := r.store.DatastreamTypes(ctx)
	if err != nil {
		return fmt.Errorf("load datastream types: %w", err)
	}
	list, err := r.store.LoadRegistry(ctx)
	if err != nil {
		return fmt.Errorf("load devices: %w", err)
	}
	byCode := make(map[string]DatastreamType, len(types))
	for _, t := range types {
		byCode[t.Code] = t
	}
	devices := make(map[string]*Known, len(list))
	owners, certs := make(map[int64]*Known), make(map[string]*Known)
	for _, d := range list {
		k := newKnown(d, byCode)
		devices[d.ID] = k
		if len(d.CertSHA256) > 0 {
			certs[string(d.CertSHA256)] = k
		}
		for _, ds := range d.Streams {
			owners[ds.ID] = k
		}
	}
	r.devices.Store(&devices)
	r.certs.Store(&certs)
	r.owners.Store(&owners)
	r.seq.Store(&seq)
	r.missErr = nil
	for _, f := range r.reloaded {
		f()
	}
	return nil
}

// Current makes what is known at least as new as this call: it asks the database for the number of the last
// change, and reads the devices anew when there was one. Callers at the same time share one question, so the
// logins of a whole city cost the database a few of them. The error is fault.Unavailable when the database is away.
func (r *Registry) Current(ctx context.Context) error {
	return r.asking.do(ctx, func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.opts.ReloadTimeout)
		defer cancel()
		seq, err := r.store.RegistrySeq(ctx)
		if err != nil {
			return unavailable(err)
		}
		if known := r.seq.Load(); known != nil && *known == seq {
			return nil
		}
		return r.Reload(ctx)
	})
}

func newKnown(d RegisteredDevice, types map[string]DatastreamType) *Known {
	k := &Known{RegisteredDevice: d, byName: make(map[string]*Stream, len(d.Streams))}
	if d.ClockOffsetS != nil {
		k.Clock = time.Duration(*d.ClockOffsetS * float64(time.Second))
	}
	for _, ds := range d.Streams {
		t, ok := types[ds.Type]
		k.byName[ds.Name] = &Stream{Datastream: ds, Min: t.Min, Max: t.Max, Ranged: ok && t.Max > t.Min}
	}
	return k
}

// Device looks a device up in memory; nil when it is unknown or disabled.
func (r *Registry) Device(id string) *Known { return (*r.devices.Load())[id] }

// DeviceOf gives the device that a datastream belongs to.
func (r *Registry) DeviceOf(datastream int64) (device string, ok bool) {
	k, ok := (*r.owners.Load())[datastream]
	if !ok {
		return "", false
	}
	return k.ID, true
}

// DivisionOf returns the division of a device.
func (r *Registry) DivisionOf(device string) (division string, ok bool) {
	k := r.Device(device)
	if k == nil {
		return "", false
	}
	return k.Division, true
}

// Devices is how many devices are known.
func (r *Registry) Devices() int { return len(*r.devices.Load()) }

// All lists what is known, in no order. The devices are shared and must not be changed.
func (r *Registry) All() []*Known {
	m := *r.devices.Load()
	list := make([]*Known, 0, len(m))
	for _, k := range m {
		list = append(list, k)
	}
	return list
}

// Find is Device, and on a miss reloads once (at most every MissInterval) before it gives nil. The
// error is fault.Unavailable when the miss could not be looked up because the database is away, so
// that nobody is called unknown who is not.
func (r *Registry) Find(ctx context.Context, id string) (*Known, error) {
	if k := r.Device(id); k != nil {
		return k, nil
	}
	if err := r.Miss(ctx); err != nil {
		return nil, err
	}
	return r.Device(id), nil
}

// Miss reloads because something was not found, at most every MissInterval; between reloads it
// returns at once what the last one came to. The error is fault.Unavailable when the store is away.
func (r *Registry) Miss(ctx context.Context) error {
	r.loading.Lock()
	defer r.loading.Unlock()
	now := r.clock()
	if since := now.Sub(r.attempted); !r.attempted.IsZero() && since >= 0 && since < r.opts.MissInterval {
		return r.missErr
	}
	r.attempted = now
	ctx, cancel := context.WithTimeout(ctx, r.opts.ReloadTimeout)
	defer cancel()
	if r.missErr = r.reload(ctx); r.missErr != nil {
		return r.missErr
	}
	r.log.DebugContext(ctx, "registry reloaded after a miss", "devices", r.Devices())
	return nil
}
