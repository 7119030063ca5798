package app

import (
	"context"

	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/pg"
	"onemap/sensors/mqtt/remote/checkup"
)

// DoctorOptions selects what to check. What is empty is not checked.
type DoctorOptions struct {
	Options             // of these, Broker…, DatabaseURL, DatabaseMax and MaxPayload are used
	BrokerConfig string // path of a mosquitto.conf
	Messages     int    // number of messages published to test whether the broker keeps them; 0: the default of package checkup
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
		// The findings are returned with an error too: an interrupted check has already found something.
		found, err := checkup.Broker(ctx, checkup.Options{Endpoint: endpoint, Messages: o.Messages, Payload: o.MaxPayload, ConfigSeen: o.BrokerConfig != ""})
		all = append(all, found...)
		if err != nil {
			return all, err
		}
	}
	return all, nil
}
