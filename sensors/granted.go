package sensors

import (
	"context"

	"onemap/internal/fault"
)

// granted reports whether the sender may still publish by what it was let in by; when not, the entry is finished: it
// is not stored and not acknowledged. A sender at an external broker is that broker's to let in.
func (in *Ingest) granted(e *entry) bool {
	if e.message.Login == nil || in.registry.Device(e.message.Device).Grants(e.message.Login, e.message.ByCert) {
		return true
	}
	e.decoded, e.statuses, e.quarantine, e.clocks = decoded{}, nil, nil, nil
	in.finish(e, fault.New(fault.Unauthenticated, "the device is disabled, or what it was let in by has changed"))
	return false
}

// anew commits entries of which a device has changed since they were decoded: with what is known now, those of
// senders that may no longer publish are left out, and those of devices that are gone go to quarantine.
func (in *Ingest) anew(ctx context.Context, at int, entries []*entry) error {
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
