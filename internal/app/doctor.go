package app

import (
	"context"

	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/pg"
	"onemap/sensors/mqtt/remote/checkup"
)

// DoctorOptions says what to look at; what is empty is left out.
type DoctorOptions struct {
	Options             // Broker…, DatabaseURL, DatabaseMax and MaxPayload of it
	BrokerConfig string // a mosquitto.conf
	Messages     int    // published to see whether the broker keeps them; 0 is checkup's default
}

// Doctor checks the database and the broker of a server and returns the findings in the order of the checks.
func Doctor(ctx context.Context, o DoctorOptions) ([]core.Finding, error) {
	if o.DatabaseURL == "" && o.Broker == "" && o.BrokerConfig == "" {
		return nil, fault.InvalidField("doctor", "nothing to look at: give --database, --broker or --broker-config")
	}
	var all []core.Finding
	if o.DatabaseURL != "" {
		found, err := pg.Diagnose(ctx, o.DatabaseURL, o.DatabaseMax)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	if o.BrokerConfig != "" {
		found, err := checkup.ConfigFile(o.BrokerConfig)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	if o.Broker != "" {
		endpoint, err := brokerEndpoint(o.Options)
		if err != nil {
			return nil, err
		}
		found, err := checkup.Broker(ctx, checkup.Options{Endpoint: endpoint, Messages: o.Messages, Payload: o.MaxPayload, ConfigSeen: o.BrokerConfig != ""})
		all = append(all, found...)
		if err != nil {
			return all, err
		}
	}
	return all, nil
}
