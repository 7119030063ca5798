package mqtt

import (
	"context"
	"errors"
	"log/slog"
	"net"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"onemap/internal/fault"
	"onemap/sensors"
	"onemap/sensors/feed/mqttjson"
)

// acceptClient authenticates the device and checks its will, before anything else is processed. On a refusal it sends the CONNACK
// and returns the code as the error.
func (b *Broker) acceptClient(cl *mochi.Client, c *conn, pk packets.Packet) (*session, error) {
	s, reason, code := b.admit(cl, c, pk)
	if reason != "" {
		user := clip(string(pk.Connect.Username))
		b.refuse(reason, slog.String("device", user), slog.String("remote", c.remote), slog.String("will_topic", clip(pk.Connect.WillTopic)))
		b.reportRefused(c, reason, user)
		c.refuse(pk, code)
		return nil, code
	}
	// Each device has one session, independent of the client id. Client ids are not secret: if the client id selected the
	// session, another device could take it over.
	cl.ID = s.device
	if cl.Properties.Props.AssignedClientID != "" {
		cl.Properties.Props.AssignedClientID = s.device
	}
	cl.Properties.Will = mochi.Will{} // the broker publishes the will itself: see Broker.ended
	s.keepAlive(pk.Connect.Keepalive)
	c.session.Store(s)
	b.limiter.authenticated(c)
	b.metrics.connects.Inc()
	if times, flapping := b.abuse.countConnect(s.device); flapping {
		b.abuse.report(sensors.TroubleReconnect, s.device, c, fault.NewMessage(CodeConnectedOften, times))
	}
	return s, nil
}

// reportRefused reports a client that was refused.
func (b *Broker) reportRefused(c *conn, reason, user string) {
	device := ""
	if b.registry.Device(user) != nil {
		device = user
	}
	switch reason {
	case refusedCredentials:
		b.abuse.report(sensors.TroubleCredential, device, c, fault.NewMessage(CodeLoginWrong, user))
	case refusedAnonymous:
		b.abuse.report(sensors.TroubleCredential, "", c, fault.NewMessage(CodeLoginMissing))
	}
}

// admit returns the session, or the reason and the code of a refusal.
func (b *Broker) admit(cl *mochi.Client, c *conn, pk packets.Packet) (*session, string, packets.Code) {
	if b.isStopping() {
		return nil, refusedUnavailable, packets.ErrServerUnavailable
	}
	if !b.storing() {
		return nil, refusedUnavailable, packets.ErrServerUnavailable
	}
	creds := sensors.Credentials{ID: string(pk.Connect.Username), Secret: string(pk.Connect.Password), CertSHA256: c.cert}
	if creds.ID == "" && creds.CertSHA256 == nil {
		return nil, refusedAnonymous, packets.ErrBadUsernameOrPassword
	}
	known, err := b.registry.Authenticate(c.ctx, creds)
	switch {
	case fault.Is(err, fault.Unavailable):
		return nil, refusedUnavailable, packets.ErrServerUnavailable
	case fault.Is(err, fault.Unauthenticated):
		return nil, refusedCredentials, packets.ErrBadUsernameOrPassword
	case err != nil:
		b.log.ErrorContext(context.Background(), "a device could not be looked up", "error", err)
		return nil, refusedUnavailable, packets.ErrServerUnavailable
	}
	s := newSession(b, cl, c, known)
	s.byCert = len(c.cert) > 0 && string(c.cert) == string(known.CertSHA256)
	if pk.Connect.WillFlag {
		s.storeWill(pk.Connect)
	}
	return s, "", packets.CodeSuccess
}

// storing reports whether the ingest path accepts messages. While the database is unavailable, it is better to refuse a device at
// once than to accept it and disconnect it at its first publish.
func (b *Broker) storing() bool {
	now, cancel := context.WithCancel(context.Background())
	cancel() // do not wait for room in the queue: the publishes do that
	return !fault.Is(b.receiver.Await(now), fault.Unavailable)
}

// ended is called once for each connection, authenticated or not, with the cause of its end.
func (b *Broker) ended(c *conn, err error) {
	s := c.session.Load()
	if s == nil {
		b.unauthenticatedEnded(c, err)
		return
	}
	stopping := b.isStopping() // read before the session is dropped: a device that is lost just before the stop still gets its will published
	newest := b.live.drop(s)
	var code packets.Code
	if errors.Is(err, packets.ErrPacketTooLarge) {
		b.refuse(refusedTooLarge, slog.String("device", s.device))
		b.abuse.report(sensors.TroubleOversize, s.device, c, fault.NewMessage(CodePacketTooLarge, b.opts.maxPacket()))
		b.abuse.countOffense(s.device)
		b.presence.quarantineOversize(s)
	} else if errors.As(err, &code) && code.Code >= packets.ErrUnspecifiedError.Code && !refusedBefore(err) {
		b.refuse(refusedProtocol, slog.String("device", s.device), slog.Any("error", err))
	}
	if newest && !stopping {
		b.publishWill(s, err)
	}
}

// refusedBefore reports whether the hook has refused the packet that ended a connection. The hook has then counted it already,
// under its own reason.
func refusedBefore(err error) bool {
	return errors.Is(err, packets.ErrRejectPacket) || errors.Is(err, packets.ErrNotAuthorized)
}

// outlives reports whether the session of the device is kept after its connection.
func outlives(cl *mochi.Client) bool {
	if cl.Properties.ProtocolVersion == 5 {
		return cl.Properties.Props.SessionExpiryInterval > 0
	}
	return !cl.Properties.Clean
}

// publishWill publishes the status of a device whose connection has ended: its last will, or "offline" if the server
// has revoked its access; then its will is not published.
func (b *Broker) publishWill(s *session, err error) {
	cause := s.client.StopCause()
	if cause == nil {
		cause = err
	}
	s.mu.Lock()
	established := s.established
	s.mu.Unlock()
	if !established {
		return
	}
	m := s.message(s.status, mqttjson.KindStatus, nil, false)
	m.Received, m.Login = b.clock(), nil // the server sends this message, not the device
	switch {
	case s.revoked.Load():
		k := b.registry.Device(s.device)
		if k == nil {
			return // disabled or deleted: messages of the device are not stored
		}
		m.Division, m.Subject, m.Raw = k.Division, mqttjson.Topic(k.Division, k.ID, mqttjson.KindStatus), []byte("offline")
		b.presence.offer(m)
	case s.will != nil && !errors.Is(cause, packets.CodeDisconnect):
		b.metrics.wills.Inc()
		m.Raw = s.will.payload()
		b.presence.announce(m, s.will.retain)
	}
}

// unauthenticatedEnded counts connections that never authenticated. Refused credentials have been counted already.
func (b *Broker) unauthenticatedEnded(c *conn, err error) {
	var code packets.Code
	remote := slog.String("remote", c.remote)
	var timeout net.Error
	switch {
	case c.evicted.Load():
		b.refuse(refusedHandshake, remote)
		b.abuse.report(sensors.TroubleHandshake, "", c, fault.NewMessage(CodeHelloPushedOut))
	case err == nil, errors.Is(err, packets.ErrBadUsernameOrPassword), errors.Is(err, packets.ErrNotAuthorized), errors.Is(err, packets.ErrServerUnavailable):
	case fault.Is(err, fault.Unauthenticated):
		b.refuse(refusedCredentials, remote, slog.Any("error", err))
		b.abuse.report(sensors.TroubleCredential, "", c, fault.MessageOf(err))
	case errors.As(err, &timeout) && timeout.Timeout():
		b.refuse(refusedHandshake, remote)
		b.abuse.report(sensors.TroubleHandshake, "", c, fault.NewMessage(CodeHelloLate))
	case errors.As(err, &code), fault.Is(err, fault.Invalid):
		b.refuse(refusedProtocol, remote, slog.Any("error", err))
	}
}
