package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"onemap/internal/app"
	"onemap/internal/config"
	"onemap/internal/core"
	"onemap/internal/fault"
)

// doctorCmd is the subcommand doctor.
type doctorCmd struct {
	config.Database
	Broker             string `help:"URL of the external MQTT broker to look at: mqtt://host:1883, mqtts://host:8883." placeholder:"URL"`
	BrokerUser         string `help:"User at the broker; its password is in ONEMAP_BROKER_PASSWORD or --broker-password-file." placeholder:"NAME"`
	BrokerPasswordFile string `help:"File that holds the password at the broker." placeholder:"FILE" type:"path"`
	BrokerCA           string `name:"broker-ca" help:"Certificates that the broker's is checked with, PEM; the system's when not given." placeholder:"FILE" type:"path"`
	BrokerCert         string `help:"Client certificate for the broker, PEM." placeholder:"FILE" type:"path"`
	BrokerKey          string `help:"Private key of --broker-cert, PEM." placeholder:"FILE" type:"path"`
	BrokerConfig       string `help:"The broker's mosquitto.conf, for what cannot be seen from outside." placeholder:"FILE" type:"path"`
	Messages           int    `help:"Messages published to see whether the broker keeps them while a client is away." default:"2000"`
	MaxPayload         int    `help:"Largest MQTT payload that must pass, in bytes." default:"65536"`
	JSON               bool   `name:"json" help:"Print JSON."`
}

// Run prints one line for each check. It returns an error if the result of a check is bad. The database is only checked
// if its URL is given.
func (c *doctorCmd) Run(ctx context.Context, _ *session) error {
	o := app.DoctorOptions{BrokerConfig: c.BrokerConfig, Messages: c.Messages}
	o.Broker, o.BrokerUser, o.BrokerPasswordFile = c.Broker, c.BrokerUser, c.BrokerPasswordFile
	o.BrokerCA, o.BrokerCert, o.BrokerKey = c.BrokerCA, c.BrokerCert, c.BrokerKey
	o.MaxPayload, o.DatabaseMax = c.MaxPayload, c.DatabaseMax
	if c.Database.Database != "" || c.DatabaseFile != "" {
		url, err := c.URL()
		if err != nil {
			return err
		}
		o.DatabaseURL = url
	}
	findings, err := app.Doctor(ctx, o)
	if err != nil {
		return err
	}
	if err := c.print(findings); err != nil {
		return err
	}
	// Only bad findings change the exit code. A warning is printed, but a script that runs doctor need not stop for it.
	bad := 0
	for _, f := range findings {
		if f.State == core.FindingBad {
			bad++
		}
	}
	if bad > 0 {
		return fault.New(fault.Internal, "%d of %d checks are bad", bad, len(findings))
	}
	return nil
}

// print prints the findings as JSON or as a table. The advice of a finding is on a line of its own.
func (c *doctorCmd) print(findings []core.Finding) error {
	if c.JSON {
		out := json.NewEncoder(os.Stdout)
		out.SetIndent("", "  ")
		out.SetEscapeHTML(false)
		return out.Encode(findings)
	}
	width := 0
	for _, f := range findings {
		width = max(width, len(f.Check))
	}
	for _, f := range findings {
		fmt.Printf("%-4s  %-*s  %s\n", f.State, width, f.Check, strings.ReplaceAll(f.Found, "\n", " "))
		if f.Advice != "" {
			fmt.Printf("      %-*s  → %s\n", width, "", f.Advice)
		}
	}
	return nil
}
