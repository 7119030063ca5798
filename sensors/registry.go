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
	// MissInterval is the shortest time between two reloads that misses cause; 0 is 2 s. It limits the load on the
	// database when strangers try device names.
	MissInterval time.Duration
	// ReloadTimeout is the time limit of a reload that a miss or a login causes; 0 is 5 s.
	ReloadTimeout time.Duration
}

// Stream is a datastream with the range of plausible values of its type.
type Stream struct {
	Datastream
	Min, Max float64 // gross range, inclusive
	Ranged   bool    // false: the type is unknown, and no range is checked
}

// Known is a device of the registry. It is shared and must not be changed.
type Known struct {
	RegisteredDevice
	Clock  time.Duration // offset of its clock when the registry was read: device time minus server time; 0: the clock is right
	byName map[string]*Stream
}

// Stream returns the datastream with the given name in payloads; it returns false if the device has no such datastream.
func (k *Known) Stream(name string) (Stream, bool) {
	s, ok := k.byName[name]
	if !ok {
		return Stream{}, false
	}
	return *s, true
}

// interval returns the expected interval of a datastream; it returns 0 if the device does not have the datastream.
func (k *Known) interval(stream int64) time.Duration {
	for i := range k.Streams {
		if k.Streams[i].ID == stream {
			return time.Duration(k.Streams[i].IntervalS) * time.Second
		}
	}
	return 0
}

// Registry is the in-memory copy of the devices that may publish, with their datastreams. It is safe for concurrent use:
// a lookup is one atomic load.
type Registry struct {
	store RegistryStore
	opts  RegistryOptions
	log   *slog.Logger
	clock func() time.Time

	devices   atomic.Pointer[map[string]*Known]
	certs     atomic.Pointer[map[string]*Known] // by the SHA-256 of a client certificate
	owners    atomic.Pointer[map[int64]*Known]  // by datastream
	seq       atomic.Pointer[int64]             // RegistrySeq just before the last successful load; nil: never loaded
	asking    sharedCall                        // shares the query of concurrent calls of Current
	loading   sync.Mutex                        // allows one reload at a time; guards the fields below
	attempted time.Time                         // when a miss last caused a reload
	missErr   error                             // the result of that reload
	reloaded  []func()
}

// NewRegistry returns an empty registry. Reload or the first miss fills it.
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

// OnReload registers f, which is called after each reload, before Reload returns. f can check connections that were accepted
// before against the new content of the registry. f must not block and must not reload.
func (r *Registry) OnReload(f func()) {
	r.loading.Lock()
	defer r.loading.Unlock()
	r.reloaded = append(r.reloaded, f)
}

// Reload reads all enabled devices again. If it returns an error, the registry keeps its previous content. The error is
// fault.Unavailable if the database is unavailable.
func (r *Registry) Reload(ctx context.Context) error {
	r.loading.Lock()
	defer r.loading.Unlock()
	return r.reload(ctx)
}

func (r *Registry) reload(ctx context.Context) error {
	seq, err := r.store.RegistrySeq(ctx) // read before the devices, so that the devices are at least as new as this number
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

// Current ensures that the registry is at least as new as this call. It reads the number of the last change from the
// database and reloads the devices if that number has changed. Concurrent callers share one query, so that the logins of a
// whole city cost only a few queries. It returns fault.Unavailable if the database is unavailable.
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

// Device returns a device from memory; it returns nil if the device is unknown or disabled.
func (r *Registry) Device(id string) *Known { return (*r.devices.Load())[id] }

// DeviceOf returns the id of the device that a datastream belongs to; it returns false if the datastream is unknown.
func (r *Registry) DeviceOf(datastream int64) (device string, ok bool) {
	k, ok := (*r.owners.Load())[datastream]
	if !ok {
		return "", false
	}
	return k.ID, true
}

// DivisionOf returns the division of a device; it returns false if the device is unknown or disabled.
func (r *Registry) DivisionOf(device string) (division string, ok bool) {
	k := r.Device(device)
	if k == nil {
		return "", false
	}
	return k.Division, true
}

// Devices returns the number of enabled devices.
func (r *Registry) Devices() int { return len(*r.devices.Load()) }

// All returns all enabled devices, in no particular order. The devices are shared and must not be changed.
func (r *Registry) All() []*Known {
	m := *r.devices.Load()
	list := make([]*Known, 0, len(m))
	for _, k := range m {
		list = append(list, k)
	}
	return list
}

// Find returns a device like Device. On a miss it reloads once (at most every MissInterval) before it returns nil. It returns
// fault.Unavailable if the reload failed because the database is unavailable. A caller can thus distinguish an unknown device
// from one that could not be looked up.
func (r *Registry) Find(ctx context.Context, id string) (*Known, error) {
	if k := r.Device(id); k != nil {
		return k, nil
	}
	if err := r.Miss(ctx); err != nil {
		return nil, err
	}
	return r.Device(id), nil
}

// Miss reloads because a lookup failed, at most every MissInterval. Between reloads it returns the result of the last reload
// at once. The error is fault.Unavailable if the store is unavailable.
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
