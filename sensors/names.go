package sensors

import (
	"errors"
	"fmt"

	"onemap/internal/core"
	"onemap/internal/fault"
)

// The limits of the names of a device and its datastreams, in characters. core.MaxName is another one.
const (
	MaxStreamName = 64
	MaxSource     = 500
	MaxStreams    = 100 // datastreams of a device
)

// CheckNames returns an error that names the field if a text is too long or is not one line of text. Names are repeated in
// every list, message and event, so they must be short.
func (d *Device) CheckNames() error {
	err := errors.Join(
		fault.CheckLine("name.zh", d.Name.ZH, core.MaxName), fault.CheckLine("name.en", d.Name.EN, core.MaxName),
		fault.CheckLine("site", d.Site, core.MaxName), fault.CheckLine("source", d.Source, MaxSource),
	)
	if len(d.Streams) > MaxStreams {
		err = errors.Join(err, fault.InvalidField("datastreams", "a device has %d at most, this one has %d", MaxStreams, len(d.Streams)))
	}
	for i := range d.Streams {
		s, at := &d.Streams[i], fmt.Sprintf("datastreams[%d].", i)
		err = errors.Join(err, fault.CheckLine(at+"name", s.Name, MaxStreamName),
			fault.CheckLine(at+"title.zh", s.Title.ZH, core.MaxName), fault.CheckLine(at+"title.en", s.Title.EN, core.MaxName))
	}
	return err
}

// ValidDeviceID reports whether id is 1 to 64 of [A-Za-z0-9_-].
func ValidDeviceID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		switch {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}
