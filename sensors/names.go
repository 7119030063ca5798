package sensors

import (
	"errors"
	"fmt"

	"onemap/internal/core"
	"onemap/internal/fault"
)

// The bounds of what a device and its datastreams are called, characters, beside core.MaxName.
const (
	MaxStreamName = 64
	MaxSource     = 500
	MaxStreams    = 100 // datastreams of a device
)

// CheckNames refuses what is too long to be repeated in every list, or no line of text; the error names the field.
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
