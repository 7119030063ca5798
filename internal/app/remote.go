package app

import (
	"context"
	"fmt"
	"os"
	"strings"

	"onemap/internal/fault"
	"onemap/sensors/mqtt/remote"
)

// startRemote starts the client of an external broker, if one is set. The broker need not be available yet.
func (a *App) startRemote(ctx context.Context) error {
	if a.o.Broker == "" {
		return nil
	}
	endpoint, err := brokerEndpoint(a.o)
	if err != nil {
		return err
	}
	id := a.o.BrokerClientID
	if id == "" {
		if id, err = stableClientID(a.o.Node); err != nil {
			return err
		}
	}
	client, err := remote.New(remote.Options{
		Endpoint: endpoint, ClientID: id, Group: a.o.BrokerGroup, MaxPayload: a.o.MaxPayload,
	}, a.ingest, a.logger, a.metrics, a.clock)
	if err != nil {
		return err
	}
	// Start does not wait for the broker: the client connects in the background and retries.
	client.Start()
	a.life.Push("external broker", client.Stop)
	a.addBroker(client)
	a.logger.InfoContext(ctx, "reading from an external broker", "client_id", id, "group", a.o.BrokerGroup)
	return nil
}

// brokerEndpoint returns the external broker of the options. The password comes from the options, from a file or from the
// environment.
func brokerEndpoint(o Options) (remote.Endpoint, error) {
	e := remote.Endpoint{
		URL: o.Broker, User: o.BrokerUser, Password: o.BrokerPassword,
		CA: o.BrokerCA, Cert: o.BrokerCert, Key: o.BrokerKey,
	}
	if o.BrokerPasswordFile != "" {
		b, err := os.ReadFile(o.BrokerPasswordFile)
		if err != nil {
			return e, fault.Wrap(fault.Invalid, err, "--broker-password-file cannot be read")
		}
		// An editor ends the file with a line end, which is not part of the password.
		e.Password = strings.TrimRight(string(b), "\r\n")
	}
	// The environment comes last: a password from the options or from a file takes precedence.
	if e.Password == "" {
		e.Password = os.Getenv("ONEMAP_BROKER_PASSWORD")
	}
	return e, nil
}

// stableClientID returns the MQTT client id of this node, at most 64 characters. The default node name contains the
// process id. The client id must not, because it would change at each start, and the messages that the broker keeps in
// the old session would never be read.
func stableClientID(node string) (string, error) {
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("name this node: %w", err)
	}
	if node == "" || node == fmt.Sprintf("%s-%d", host, os.Getpid()) {
		node = host
	}
	id := "onemap-" + strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '_'
	}, node)
	// All characters are ASCII here, so the cut cannot split one.
	return id[:min(len(id), 64)], nil
}
