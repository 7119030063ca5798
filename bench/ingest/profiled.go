package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/pprof"
	"time"

	"onemap/bench/kit"
	"onemap/internal/app"
	"onemap/internal/config"
)

// serveProfiled runs `onemap serve` and writes a CPU profile.
func serveProfiled(ctx context.Context, o options, out io.Writer) (err error) {
	f, err := os.Create(o.cpuprofile)
	if err != nil {
		return fmt.Errorf("-cpuprofile: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	server := config.Server{
		HTTP: "127.0.0.1:0", MQTT: "127.0.0.1:0", City: "3706", Sender: "bench.onemap", SessionTTL: 12 * time.Hour, MaxPayload: 65536,
		TileCache: 256, TileMax: 5_000_000, PruneEvery: time.Hour, EventsKeep: 8760 * time.Hour, Quarantined: 720 * time.Hour,
	}
	if o.bare.broker != "" {
		server.MQTT, server.Broker, server.BrokerClientID = "off", "mqtt://"+o.bare.broker, "bench"
	}
	a, err := app.Start(ctx, app.Options{
		Server:      server,
		DatabaseURL: o.bare.database, DatabaseMax: 16,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return fmt.Errorf("-cpuprofile: %w", err)
	}
	fmt.Fprintf(out, "onemap serves %s, MQTT on %s\n", a.URL(), a.MQTTAddr()) // the MQTT address may be empty
	select {
	case <-ctx.Done():
	case err = <-a.Failed():
	}
	pprof.StopCPUProfile()
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), kit.StopWithin)
	defer cancel()
	return errors.Join(err, a.Stop(stopCtx))
}
