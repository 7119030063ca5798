package alerts

import (
	"context"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"onemap/geo"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/text"
	"onemap/sensors"
)

// The bounds of a silence: its length, how far ahead it may begin, and the characters of its reason.
const (
	MaxSilence      = 7 * 24 * time.Hour
	MaxSilenceAhead = 90 * 24 * time.Hour
	MaxReason       = 500
)

// NewSilence is what makes a silence. Starts may be zero or past: then it starts now.
type NewSilence struct {
	Kind     SilenceKind
	DeviceID string
	Type     string
	Division string
	Level    core.Level
	Reason   string
	Starts   time.Time
	Ends     time.Time
}

// SilenceStore is what silences need. Each change writes EventSilenceChanged.
type SilenceStore interface {
	Silences(ctx context.Context, s core.Scope, current bool, now time.Time, p core.Page) ([]Silence, error)
	// CreateSilence stores it; divisions are those that it concerns, none: the city alone.
	CreateSilence(ctx context.Context, n Silence, divisions []string) (Silence, error)
	// EndSilence ends the silence as locked when check lets it; what is over stays as it is.
	EndSilence(ctx context.Context, s core.Scope, id int64, actor string, now time.Time, check func(n Silence, divisions []string) error) (Silence, error)
	// DeviceDivision is where a device of the scope lies; fault.NotFound when there is none.
	DeviceDivision(ctx context.Context, s core.Scope, device string) (string, error)
	HasDatastreamType(ctx context.Context, code string) (bool, error)
}

// Silences makes, ends and lists silences and maintenance windows.
type Silences struct {
	store SilenceStore
	log   *slog.Logger
	clock func() time.Time
}

// NewSilences makes the service; a nil logger is silent, a nil clock the system's.
func NewSilences(store SilenceStore, log *slog.Logger, clock func() time.Time) *Silences {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if clock == nil {
		clock = time.Now
	}
	return &Silences{store: store, log: log, clock: clock}
}

// List lists the silences that concern the principal's division, newest first; current leaves out those
// that are over.
func (v *Silences) List(ctx context.Context, p core.Principal, current bool, page core.Page) ([]Silence, error) {
	return v.store.Silences(ctx, p.Scope(), current, v.clock(), page)
}

// Create makes a silence that the principal owns. Who handles alerts makes one for a device or a division
// of their own; one of a datastream type everywhere is the city's. Each refusal has a code: fault.Invalid
// names the field, fault.Forbidden what lies outside.
func (v *Silences) Create(ctx context.Context, p core.Principal, n NewSilence) (Silence, error) {
	if err := mayHandle(p.Scope()); err != nil {
		return Silence{}, err
	}
	now := v.clock().UTC().Truncate(time.Millisecond)
	out := Silence{
		Kind: n.Kind, DeviceID: strings.TrimSpace(n.DeviceID), Type: strings.TrimSpace(n.Type), Level: n.Level,
		Reason: strings.TrimSpace(n.Reason), Owner: p.Login, OwnerName: p.Name, Starts: n.Starts.UTC(), Ends: n.Ends.UTC(), CreatedAt: now,
	}
	if out.Starts.Before(now) {
		out.Starts = now
	}
	if err := out.validate(now); err != nil {
		return Silence{}, err
	}
	divisions, err := v.place(ctx, p, &out, strings.TrimSpace(n.Division))
	if err != nil {
		return Silence{}, err
	}
	stored, err := v.store.CreateSilence(ctx, out, divisions)
	if err == nil {
		v.log.InfoContext(ctx, "silence made", "silence", stored.ID, "owner", p.Login, "reason", stored.Reason)
	}
	return stored, err
}

// validate holds what needs no look at the store against the rules.
func (s Silence) validate(now time.Time) error {
	switch {
	case s.Kind != KindSilence && s.Kind != KindMaintenance:
		return fault.InvalidCode("kind", CodeSilenceKind)
	case s.Level == core.None || !s.Level.Valid():
		return fault.InvalidCode("level", CodeLevelUnknown)
	case s.Reason == "":
		return fault.InvalidCode("reason", fault.CodeNotEmpty)
	case !utf8.ValidString(s.Reason):
		return fault.InvalidCode("reason", CodeNoteNotText)
	case utf8.RuneCountInString(s.Reason) > MaxReason:
		return fault.InvalidCode("reason", fault.CodeTooLong, MaxReason)
	case s.Ends.IsZero():
		return fault.InvalidCode("ends", fault.CodeRequired)
	case !s.Ends.After(now):
		return fault.InvalidCode("ends", CodeSilenceOver)
	case !s.Ends.After(s.Starts):
		return fault.InvalidCode("ends", CodeSilenceEnds)
	case s.Ends.Sub(s.Starts) > MaxSilence:
		return fault.InvalidCode("ends", CodeSilenceLong, int(MaxSilence.Hours()/24))
	case s.Starts.Sub(now) > MaxSilenceAhead:
		return fault.InvalidCode("starts", CodeSilenceStart, int(MaxSilenceAhead.Hours()/24))
	}
	return nil
}

// place holds what the silence covers against what there is and against the principal's division, and
// returns the divisions that it concerns.
func (v *Silences) place(ctx context.Context, p core.Principal, n *Silence, division string) ([]string, error) {
	s := p.Scope()
	if division != "" {
		code, err := geo.ParseDivision(division)
		if err != nil {
			return nil, fault.InvalidCode("division", geo.CodeNoDivision, text.Cut(division, maxQuoted))
		}
		n.Division = code
	}
	switch {
	case n.DeviceID == "" && n.Type == "" && n.Division == "":
		return nil, fault.InvalidCode("device_id", CodeSilenceOfNothing)
	case n.Division != "" && !s.Covers(n.Division):
		return nil, fault.NewCoded(fault.Forbidden, "division", core.CodeDivisionOutside, n.Division, s.Division)
	case n.DeviceID == "" && n.Division == "" && !s.Covers(""):
		return nil, fault.NewCoded(fault.Forbidden, "type", CodeSilenceCityOnly, s.Division)
	}
	if n.Type != "" {
		switch has, err := v.store.HasDatastreamType(ctx, n.Type); {
		case err != nil:
			return nil, err
		case !has:
			return nil, fault.InvalidCode("type", sensors.CodeNoDatastreamType, text.Cut(n.Type, maxQuoted))
		}
	}
	if n.DeviceID != "" {
		return v.placeDevice(ctx, s, n)
	}
	if n.Division != "" {
		return []string{n.Division}, nil
	}
	return []string{s.Division}, nil
}

// placeDevice looks the device up in the scope.
func (v *Silences) placeDevice(ctx context.Context, s core.Scope, n *Silence) ([]string, error) {
	in, err := v.store.DeviceDivision(ctx, s, n.DeviceID)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil, fault.InvalidCode("device_id", sensors.CodeNoDevice, text.Cut(n.DeviceID, maxQuoted))
	case err != nil:
		return nil, err
	case !strings.HasPrefix(in, n.Division):
		return nil, fault.InvalidCode("division", sensors.CodeDeviceElsewhere, in)
	}
	return []string{in}, nil
}

// End ends a silence of the principal's division before its time. Ending what is over is no error and
// changes nothing.
func (v *Silences) End(ctx context.Context, p core.Principal, id int64) (Silence, error) {
	s := p.Scope()
	if err := mayHandle(s); err != nil {
		return Silence{}, err
	}
	n, err := v.store.EndSilence(ctx, s, id, p.Login, v.clock().UTC().Truncate(time.Millisecond), func(_ Silence, divisions []string) error {
		for _, d := range divisions {
			if !s.Covers(d) {
				return fault.NewCoded(fault.Forbidden, "", core.CodeDivisionOutside, d, s.Division)
			}
		}
		return nil
	})
	if err == nil {
		v.log.InfoContext(ctx, "silence ended", "silence", n.ID, "actor", p.Login)
	}
	return n, err
}
