package sensors

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"onemap/internal/text"
)

// entry is an item decoded: what one message adds to a batch.
type entry struct {
	item
	decoded
	statuses   []Status
	quarantine []Quarantined
	clocks     []DeviceClock
	registry   *int64 // RegistrySeq that it was decoded by
	wrong      int    // observations of a clock that is wrong
	finished   bool
}

// merge makes one batch, in order of arrival.
func merge(entries []*entry) Batch {
	if len(entries) == 1 {
		e := entries[0]
		return Batch{Observations: e.observations, Statuses: e.statuses, Quarantine: e.quarantine, Clocks: e.clocks}
	}
	var b Batch
	for _, e := range entries {
		b.Observations = append(b.Observations, e.observations...)
		b.Statuses = append(b.Statuses, e.statuses...)
		b.Quarantine = append(b.Quarantine, e.quarantine...)
		b.Clocks = append(b.Clocks, e.clocks...)
	}
	return b
}

// gather decodes what waits, up to a batch. On an error (the registry could not be asked) the
// entries hold everything taken.
func (in *Ingest) gather(ctx context.Context, at int) ([]*entry, error) {
	items := in.queue.take(at, in.opts.MaxBatch)
	slices.SortFunc(items, func(a, b item) int { return cmp.Compare(a.place, b.place) }) // they come device by device
	room, entries := make([]entry, len(items)), make([]*entry, len(items))
	for i := range items {
		room[i].item = items[i]
		entries[i] = &room[i]
	}
	for _, e := range entries {
		if err := in.prepare(ctx, at, e); err != nil {
			return entries, err
		}
	}
	return entries, in.setTimes(ctx, entries)
}

// prepare decodes one item. What names something unknown is tried again after a reload.
func (in *Ingest) prepare(ctx context.Context, at int, e *entry) error {
	e.registry = in.registry.seq.Load()
	if e.ready != nil {
		e.quarantine = []Quarantined{*e.ready}
		return nil
	}
	if !in.granted(e) {
		return nil
	}
	faults := in.decode(at, e)
	if faults.Has(ReasonUnknownDevice) || faults.Has(ReasonUnknownDatastream) {
		if err := in.registry.Miss(ctx); err != nil {
			return err // it cannot be said now that it is unknown
		}
		faults = in.decode(at, e)
	}
	if faults.Len() > 0 {
		e.quarantine = []Quarantined{in.row(e.message, faults)}
		in.loud.Do(func() {
			in.log.WarnContext(ctx, "a publish went to quarantine", "device", e.message.Device, "topic", e.message.Subject, "reason", faults.Reason(), "detail", faults.Detail())
		})
	}
	return nil
}

// decode fills the entry's observations and statuses. It is one committer's work.
func (in *Ingest) decode(at int, e *entry) (faults Faults) {
	m := &e.message
	e.decoded, e.statuses = decoded{}, nil
	device := in.registry.Device(m.Device)
	switch {
	case len(m.Raw) > in.opts.MaxPayload:
		faults.Add(ReasonTooLarge, "", CodePayloadTooLarge, len(m.Raw), in.opts.MaxPayload)
	case device == nil:
		faults.Add(ReasonUnknownDevice, "device", CodeDeviceUnknown, Printable([]byte(m.Device)))
	case m.Division != "" && device.Division != m.Division:
		faults.Add(ReasonBadTopic, "division", CodeDeviceElsewhere, device.Division)
	default:
		d := &in.decodings[at]
		d.reset(device, m.Received, in.opts.Limits, m.Values)
		m.Decoder.Decode(m.Raw, d)
		e.decoded, faults = d.decoded, d.faults
		if d.status != nil {
			e.statuses = []Status{*d.status}
		}
	}
	return faults
}

// row is the quarantine row of a message.
func (in *Ingest) row(m Message, faults Faults) Quarantined {
	return in.capped(faults.Quarantine(Quarantined{
		At: m.Received, DeviceID: m.Device, Topic: m.Subject, Payload: m.Raw, Size: len(m.Raw),
	}))
}

// capped cuts the payload to the cap and makes the texts fit for any store.
func (in *Ingest) capped(q Quarantined) Quarantined {
	q.Size = max(q.Size, len(q.Payload))
	if len(q.Payload) > in.opts.QuarantineBytes {
		q.Payload = append([]byte(nil), q.Payload[:in.opts.QuarantineBytes]...)
	}
	if q.Payload == nil {
		q.Payload = []byte{}
	}
	if q.At.IsZero() {
		q.At = in.opts.Clock()
	}
	q.At = q.At.UTC().Truncate(time.Microsecond)
	q.DeviceID = printableText(q.DeviceID, 64)
	q.Topic = printableText(q.Topic, 512)
	q.Detail = printableText(q.Detail, 2000)
	return q
}

// printableText makes text valid UTF-8 without control characters, at most limit bytes.
func printableText(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return text.Prefix(s, limit)
}
