package sensors

import (
	"context"

	"onemap/internal/fault"
)

// granted reports whether the sender may still publish with the credentials with which it was authenticated. If not, the
// entry is finished: it is neither stored nor acknowledged. A feed without authentication has no Login; its broker
// authenticates the senders.
func (in *Ingest) granted(e *entry) bool {
	if e.message.Login == nil || in.registry.Device(e.message.Device).Grants(e.message.Login, e.message.ByCert) {
		return true
	}
	e.decoded, e.statuses, e.quarantine, e.clocks = decoded{}, nil, nil, nil
	in.finish(e, fault.New(fault.Unauthenticated, "the device is disabled, or what it was let in by has changed"))
	return false
}

// recommit commits entries again after a device has changed since they were decoded. It uses the current registry: entries of
// senders that may no longer publish are left out, and entries of deleted or moved devices go to quarantine.
func (in *Ingest) recommit(ctx context.Context, at int, entries []*entry) error {
	if err := in.registry.Current(ctx); err != nil {
		return err
	}
	for _, e := range entries {
		e.registry = in.registry.seq.Load()
		if e.ready != nil || !in.granted(e) {
			continue
		}
		if k := in.registry.Device(e.message.Device); k == nil || k.Division != e.message.Division {
			faults := in.decode(at, e)
			e.clocks, e.quarantine = nil, []Quarantined{in.row(e.message, faults)}
		}
	}
	return in.commit(ctx, at, entries)
}
