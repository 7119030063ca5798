package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"onemap/alerts"
	"onemap/demo"
	"onemap/internal/config"
)

// demoCmd is the subcommand demo.
type demoCmd struct {
	config.Server
	config.Demo
}

// Run starts the demo, prints how to use it, and runs until Ctrl-C. With --reset it deletes the data of the demo and
// does not start.
func (c *demoCmd) Run(ctx context.Context, s *session, common *config.Common) error {
	if c.Reset {
		return demo.Reset(c.Data)
	}
	// The log file is opened before the start, so that it has the messages of the start too.
	if err := c.logToData(s, common); err != nil {
		return err
	}
	d, err := demo.Start(ctx, demo.Options{
		Server: c.Server, Demo: c.Demo, Version: version, Logger: s.logger,
		Progress: s.progress.Show,
		Notice: func(text string) {
			s.progress.Done()
			fmt.Fprintln(os.Stderr, "note:", text)
		},
	})
	if err != nil {
		return err
	}
	s.progress.Done()
	printDemo(os.Stdout, d.Info(), c.Demo, s.log.path)
	err = s.wait(ctx, d)
	fmt.Println("onemap has stopped; the data stay in", c.Data)
	return err
}

// logToData makes the log a file in the data folder, unless --log names another file. The terminal then shows only the
// lines that the user needs.
func (c *demoCmd) logToData(s *session, common *config.Common) error {
	if err := os.MkdirAll(c.Data, 0o755); err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	if s.log != nil {
		return nil
	}
	return s.logTo(filepath.Join(c.Data, demo.LogFile), *common)
}

// printDemo prints the addresses and accounts of the demo and how to publish. Of the responders it prints two counties
// as examples; demo.json has all of them.
func printDemo(w io.Writer, d demo.Info, o config.Demo, logPath string) {
	fmt.Fprintf(w, "\nonemap is running. Stop it with Ctrl-C; the data stay for the next run.\n\n")
	fmt.Fprintf(w, "  map        %s\n  phone page %s/m\n\n", d.HTTP, d.HTTP)
	fmt.Fprintf(w, "  %-10s %-18s %-8s %s\n", "user", "role", "division", "password")
	for _, a := range d.Accounts {
		if a.Role == "county_responder" && a.Division != "370602" && a.Division != "370614" {
			continue
		}
		fmt.Fprintf(w, "  %-10s %-18s %-8s %s\n", a.User, a.Role, a.Division, a.Password)
	}
	fmt.Fprintf(w, "  (one responder a county; all logins are in %s)\n", filepath.Join(o.Data, "demo.json"))
	printPublishing(w, d)
	if o.Simulate && o.Scene != "none" {
		fmt.Fprintf(w, "The scene %s begins %s after the start.\n", o.Scene, o.SceneAfter)
	}
	fmt.Fprintf(w, "Everything here is simulated. Log: %s\n", logPath)
}

// printPublishing prints a command that publishes a value above the red threshold and one that returns to normal. The
// second value must be sent twice, because the alert clears only after the value was normal for the hold time of the
// rule.
func printPublishing(w io.Writer, d demo.Info) {
	red := fmt.Sprintf(`{"v":{"%s":%g}}`, d.Device.Datastream, d.Device.RedAbove+0.3)
	normal := fmt.Sprintf(`{"v":{"%s":%g}}`, d.Device.Datastream, d.Device.ClearBelow-0.5)
	calm := fmt.Sprintf("back to normal, twice, %d s apart (the hold before clearing)", alerts.DefaultHoldSeconds)
	if d.MQTT == "" { // the embedded broker has no TCP listener
		fmt.Fprintf(w, "\nPublish as a sensor to a broker that onemap reads from, and see the map turn red:\n\n")
		fmt.Fprintf(w, "  topic %s, payload %s\n\n  and %s: payload %s\n\n", d.Device.Topic, red, calm, normal)
		return
	}
	host, port, err := net.SplitHostPort(d.MQTT)
	if err != nil {
		host, port = d.MQTT, "1883"
	}
	fmt.Fprintf(w, "\nPublish as a sensor, and see the map turn red (Debian package mosquitto-clients):\n\n")
	fmt.Fprintf(w, "  mosquitto_pub -h %s -p %s -q 1 -u %s -P %s -t %s -m '%s'\n", host, port, d.Device.ID, d.Device.Password, d.Device.Topic, red)
	fmt.Fprintf(w, "\n  and %s: -m '%s'\n\n", calm, normal)
}
