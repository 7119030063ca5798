package app

import (
	"context"
	"errors"
	"time"

	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors/mqtt"
)

// startBroker starts the embedded broker, unless it is disabled.
func (a *App) startBroker(ctx context.Context) error {
	o, err := brokerOptions(a.o)
	if err != nil || o == nil {
		return err
	}
	broker := mqtt.New(*o, a.ingest, a.registry, a.logger, a.metrics, a.clock)
	if err := broker.Start(ctx); err != nil {
		return nameBrokerFlag(err, *o)
	}
	a.broker = broker
	a.life.Push("broker", broker.Stop)
	a.addBroker(broker)
	// The certificate is a part of its own in the health: devices that do not check dates connect with an expired one.
	if _, secure := broker.CertificateHealth(); secure {
		a.monitor.add(func() core.Health { h, _ := broker.CertificateHealth(); return h })
	}
	return nil
}

// maxKeepAlive is the longest keep-alive of MQTT: 16 bits, in seconds (MQTT 5.0, 3.1.2.10).
const maxKeepAlive = 65535 * time.Second

// brokerOptions returns the options of the embedded broker. It returns nil if the broker is disabled.
func brokerOptions(o Options) (*mqtt.Options, error) {
	secure := o.MQTTTLS != "" || o.MQTTWSS != ""
	// A certificate without a TLS listener is refused too, because a flag was probably forgotten.
	switch {
	case secure && o.MQTTCert == "":
		return nil, fault.InvalidField("--mqtt-cert", "--mqtt-tls and --mqtt-wss need a certificate")
	case secure && o.MQTTKey == "":
		return nil, fault.InvalidField("--mqtt-key", "--mqtt-tls and --mqtt-wss need the key of the certificate")
	case !secure && o.MQTTCert != "":
		return nil, fault.InvalidField("--mqtt-cert", "is used by --mqtt-tls and --mqtt-wss, and neither is given")
	case !secure && o.MQTTKey != "":
		return nil, fault.InvalidField("--mqtt-key", "is used by --mqtt-tls and --mqtt-wss, and neither is given")
	case o.MQTTKeepAlive != 0 && (o.MQTTKeepAlive < time.Second || o.MQTTKeepAlive > maxKeepAlive):
		return nil, fault.InvalidField("--mqtt-keepalive", "%s is not 1s to %s", o.MQTTKeepAlive, maxKeepAlive)
	case o.MQTT == mqtt.Off && !secure && o.MQTTWS == "":
		if o.Broker == "" {
			return nil, fault.InvalidField("--mqtt", "off leaves devices no way in: give --broker, or another listener as --mqtt-tls")
		}
		return nil, nil // disabled, which is not an error
	}
	return &mqtt.Options{
		Listen: o.MQTT, ListenTLS: o.MQTTTLS, ListenWS: o.MQTTWS, ListenWSS: o.MQTTWSS,
		CertFile: o.MQTTCert, KeyFile: o.MQTTKey, MaxPayload: o.MaxPayload, MaxKeepAlive: o.MQTTKeepAlive, Quota: o.DeviceQuota,
	}, nil
}

// nameBrokerFlag adds the flag to change to the error of a failed start.
func nameBrokerFlag(err error, o mqtt.Options) error {
	var listen *mqtt.ListenError
	if !errors.As(err, &listen) {
		if fault.Is(err, fault.Invalid) {
			return fault.Wrap(fault.Invalid, err, "--mqtt-cert %s, --mqtt-key %s", o.CertFile, o.KeyFile)
		}
		return err
	}
	switch listen.Kind {
	case mqtt.KindTLS:
		return NameBusyFlag(err, "--mqtt-tls", o.ListenTLS)
	case mqtt.KindWS:
		return NameBusyFlag(err, "--mqtt-ws", o.ListenWS)
	case mqtt.KindWSS:
		return NameBusyFlag(err, "--mqtt-wss", o.ListenWSS)
	default:
		return NameBusyFlag(err, "--mqtt", o.Listen)
	}
}

// MQTTAddr returns host:port of the broker's TCP listener. It returns "" if there is none.
func (a *App) MQTTAddr() string { return a.MQTTAddrOf(mqtt.KindTCP) }

// MQTTAddrOf returns host:port of the embedded broker's listener of a kind: mqtt, mqtts, ws or wss.
func (a *App) MQTTAddrOf(kind string) string {
	if a.broker == nil {
		return ""
	}
	return a.broker.AddrOf(kind)
}
