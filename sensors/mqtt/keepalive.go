package mqtt

import (
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"onemap/internal/fault"
	"onemap/sensors"
)

// keepAlive sets how long the device may send nothing: one and a half times its keep-alive. asked is in seconds. A device of
// version 5 has at most the limit, which the CONNACK contains. In version 3.1.1 the server cannot send a keep-alive, so the
// device keeps the value that it asked for, and is reported if that value is above the limit. A device that asks for no
// keep-alive (0) gets the limit. Source: MQTT 5.0, 3.1.2.10 and 3.2.2.3.14 (Server Keep Alive).
func (s *session) keepAlive(asked uint16) {
	limit := uint16(min(s.b.opts.MaxKeepAlive/time.Second, 65535))
	held, old := asked, s.client.Properties.ProtocolVersion < 5
	if asked == 0 || (asked > limit && !old) {
		held = limit
		s.client.State.ServerKeepalive = true // sends the value to a device of version 5
	}
	s.client.State.Keepalive = held
	s.conn.idle = time.Duration(held) * time.Second * 3 / 2
	s.unlimited = asked == 0
	if asked > limit && old {
		s.b.abuse.report(sensors.TroubleKeepAlive, s.device, s.conn, fault.NewMessage(CodeKeepAliveLong, asked, limit))
	}
}

// keepAliveExpired ends the connection of a device that has sent nothing for too long. A device of version 5 gets the reason. A device of
// 3.1.1 that asked for no keep-alive is reported, because it does not know that a limit applies.
func (s *session) keepAliveExpired() {
	if s.unlimited && s.client.Properties.ProtocolVersion < 5 {
		s.b.abuse.report(sensors.TroubleKeepAlive, s.device, s.conn, fault.NewMessage(CodeKeepAliveNone, int(s.conn.idle/time.Second)))
	}
	s.disconnect(packets.ErrKeepAliveTimeout)
}
