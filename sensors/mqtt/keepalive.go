package mqtt

import (
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"onemap/internal/fault"
	"onemap/sensors"
)

// keepAlive decides how long the device may say nothing: one and a half times its keep-alive, in seconds. Version 5 has
// the limit at most, and is told of it. 3.1.1 cannot be told, so it keeps what it asks for, and is listed when that
// is more than the limit. Who asks for none has the limit.
func (s *session) keepAlive(asked uint16) {
	limit := uint16(min(s.b.opts.MaxKeepAlive/time.Second, 65535))
	held, old := asked, s.client.Properties.ProtocolVersion < 5
	if asked == 0 || (asked > limit && !old) {
		held = limit
		s.client.State.ServerKeepalive = true // tells version 5
	}
	s.client.State.Keepalive = held
	s.conn.idle = time.Duration(held) * time.Second * 3 / 2
	s.unlimited = asked == 0
	if asked > limit && old {
		s.b.abuse.report(sensors.TroubleKeepAlive, s.device, s.conn, fault.NewMessage(CodeKeepAliveLong, asked, limit))
	}
}

// silent ends the connection of a device that has said nothing for too long. Version 5 is told why; one of 3.1.1
// that had asked for no keep-alive is listed, since it could not know.
func (s *session) silent() {
	if s.unlimited && s.client.Properties.ProtocolVersion < 5 {
		s.b.abuse.report(sensors.TroubleKeepAlive, s.device, s.conn, fault.NewMessage(CodeKeepAliveNone, int(s.conn.idle/time.Second)))
	}
	s.disconnect(packets.ErrKeepAliveTimeout)
}
