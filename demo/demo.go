// Package demo runs onemap with a synthetic city on one machine: a private PostgreSQL cluster, the base data, the
// synthetic city with its accounts, the server, and the simulator of the devices.
//
// All data are in one folder: the cluster, secrets.json (passwords) and demo.json (how to use the running demo). A
// second start with the same folder and seed continues with the same data.
package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"onemap/alerts"
	"onemap/auth"
	"onemap/catalogue"
	"onemap/data"
	"onemap/demo/city"
	"onemap/demo/pgcluster"
	"onemap/internal/app"
	"onemap/internal/app/stores"
	"onemap/internal/config"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/lifecycle"
	"onemap/sensors"
	"onemap/sensors/feed/mqttjson"
	"onemap/sensors/mqtt"
)

// Options are the settings of the demo.
type Options struct {
	config.Server
	config.Demo
	Version  string
	Logger   *slog.Logger
	Progress app.Progress
	Notice   func(text string) // receives notices for the user, for example a fallback of the data folder; may be nil
}

// Demo is a running demo: a server with its own database, city and simulator.
type Demo struct {
	*app.App
	o       Options
	logger  *slog.Logger
	life    lifecycle.Stack
	cluster *pgcluster.Cluster
	url     string
	base    string
	city    city.City
	secret  secrets
	info    Info
}

// LogFile is the name of the log in the data folder.
const LogFile = "onemap.log"

const (
	stopWithin       = 30 * time.Second // longest time to stop what was started, after a failed start
	database         = "onemap"
	visitorsStream   = "water_level" // datastream type of the device that the user of the demo publishes for
	visitorsDivision = "370602"      // county of this device
	clusterDir       = "pg"
	infoFile         = "demo.json"
	secretsFile      = "secrets.json"
	lockFile         = ".lock" // every demo makes it first
)

// Start starts all parts of the demo and writes demo.json. The order matters: each step uses what the steps before it
// have made, and the checks come before the steps that take long. If a step fails, Start stops the parts that it has
// started, in reverse order.
func Start(ctx context.Context, o Options) (*Demo, error) {
	d := &Demo{o: o, logger: o.Logger}
	if d.logger == nil {
		d.logger = slog.New(slog.DiscardHandler)
	}
	if d.o.Notice == nil {
		d.o.Notice = func(string) {}
	}
	d.o.Progress = o.Progress.OrNone()
	d.life.Logger = d.logger
	for _, step := range []func(context.Context) error{
		d.checkSimulator, d.checkPorts, d.openFolder, d.startCluster, d.loadCity, d.makeAccounts, d.startServer, d.startSimulator, d.writeInfo,
	} {
		if err := step(ctx); err != nil {
			stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
			defer cancel()
			return nil, errors.Join(err, d.life.Stop(stopCtx))
		}
	}
	return d, nil
}

// Info returns the addresses and accounts of the demo.
func (d *Demo) Info() Info { return d.info }

// Stop stops all parts in reverse order. The data stay in the folder.
func (d *Demo) Stop(ctx context.Context) error { return d.life.Stop(ctx) }

// Reset deletes the files of a demo in its data folder, and the files of its cluster in fallback folders. It leaves
// other files in the folder. It returns fault.Invalid if a running demo uses the folder, or if the folder has files but no
// demo has run in it. A missing folder is no error.
func Reset(dir string) error {
	if err := checkDemoFolder(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	unlock, err := lockFolder(dir)
	if err != nil {
		return err
	}
	defer unlock()
	if err := pgcluster.Remove(context.Background(), filepath.Join(dir, clusterDir)); err != nil {
		return fmt.Errorf("wipe the demo's database: %w", err)
	}
	for _, name := range []string{infoFile, secretsFile, LogFile} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("wipe the demo: %w", err)
		}
	}
	return nil
}

// lockFolder locks the data folder, so that two demos cannot use it. It returns fault.Invalid if it is locked. The
// kernel releases the lock when the process ends.
func lockFolder(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("--data: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fault.InvalidField("--data", "%s is in use by a running demo; stop it, or choose another folder with --data DIR", dir), f.Close())
	}
	return func() { _ = f.Close() }, nil // Close releases the lock
}

// checkSimulator returns fault.Invalid if the simulator is on and the broker's TCP listener is off, because the
// simulator uses MQTT over TCP.
func (d *Demo) checkSimulator(context.Context) error {
	if d.o.Simulate && d.o.MQTT == mqtt.Off {
		return fault.InvalidField("--mqtt", "off leaves the simulator no broker to publish to: add --no-simulate, or give --mqtt an address (port 0 picks a free one)")
	}
	return nil
}

// checkPorts returns an error if a port is in use. The server would find this too, but only after the slow steps.
func (d *Demo) checkPorts(ctx context.Context) error {
	for flag, addr := range map[string]string{"--http": d.o.HTTP, "--mqtt": d.o.MQTT, "--metrics": d.o.Metrics} {
		if addr == mqtt.Off || addr == "" {
			continue
		}
		ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
		if err != nil {
			return app.NameBusyFlag(err, flag, addr)
		}
		if err := ln.Close(); err != nil {
			return fmt.Errorf("%s: %w", flag, err)
		}
	}
	return nil
}

// openFolder creates and locks the data folder, reads its secrets and finds the base data.
func (d *Demo) openFolder(context.Context) error {
	if err := os.MkdirAll(d.o.Data, 0o755); err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	unlock, err := lockFolder(d.o.Data)
	if err != nil {
		return err
	}
	d.life.Push("folder", func(context.Context) error { unlock(); return nil })
	if d.secret, err = loadSecrets(d.o.Data, d.o.Seed); err != nil {
		return err
	}
	d.base, err = data.Find(d.o.BaseData)
	return err
}

// startCluster starts the private cluster, creates the database if there is none, and runs the migrations.
func (d *Demo) startCluster(ctx context.Context) error {
	d.o.Progress("starting PostgreSQL", 0, 0)
	c, err := pgcluster.Start(ctx, pgcluster.Options{
		Dir: filepath.Join(d.o.Data, clusterDir), Logger: d.logger,
		Progress: func(text string) { d.o.Progress("starting PostgreSQL: "+text, 0, 0) },
	})
	if err != nil {
		return err
	}
	d.life.Push("PostgreSQL", c.Stop)
	d.cluster = c
	if c.Notice != "" {
		d.o.Notice(c.Notice)
	}
	if err := c.EnsureDatabase(ctx, database); err != nil {
		return err
	}
	d.url = c.URL(database)
	return app.Migrate(ctx, d.url, d.logger, d.o.Progress)
}

// loadCity generates the synthetic city and stores what the database does not have yet. The layer county stands for the
// base data, which are imported together.
func (d *Demo) loadCity(ctx context.Context) error {
	d.o.Progress("making the synthetic city", 0, 0)
	var err error
	if d.city, err = city.New(d.o.Seed, d.base); err != nil {
		return fmt.Errorf("make the synthetic city: %w", err)
	}
	db, err := stores.Open(ctx, stores.Options{URL: d.url, MaxConns: 4, Logger: d.logger})
	if err != nil {
		return err
	}
	defer db.Close()
	there, err := db.Catalogue.Layers(ctx, core.Scope{Division: d.o.City, Role: core.RoleAdministrator})
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, l := range there {
		known[l.Name] = true
	}
	if !known["county"] {
		if err := app.ImportBase(ctx, d.url, d.base, d.logger, d.o.Progress); err != nil {
			return err
		}
	}
	// A layer that exists is not imported again, so that changes of the user stay.
	missing := slices.DeleteFunc(slices.Clone(d.city.Layers), func(l data.LayerSpec) bool { return known[l.Name] })
	if err := app.ImportLayers(ctx, catalogue.NewService(db.Catalogue, nil), missing, "loading the synthetic city", d.logger, d.o.Progress); err != nil {
		return err
	}
	return d.loadDevices(ctx, db)
}

// loadDevices stores the devices and rules of the city, unless the database already has at least as many devices.
func (d *Demo) loadDevices(ctx context.Context, db *stores.Stores) error {
	for _, dev := range d.city.Devices {
		if d.secret.Devices[dev.ID] == "" {
			secret, _ := sensors.NewSecret()
			d.secret.Devices[dev.ID] = secret
		}
	}
	// The file is written before the hashes are stored in the database. A secret without the file could not be used again.
	if err := writeSecret(d.o.Data, secretsFile, d.secret); err != nil {
		return err
	}
	// The devices are complete if there are as many as in the city. An interrupted start has fewer and stores them again.
	there, err := db.Sensors.LoadRegistry(ctx)
	if err != nil || len(there) >= len(d.city.Devices) {
		return err
	}
	total := int64(len(d.city.Devices))
	operator := core.Operator("demo")
	err = sensors.NewDevices(db.Sensors, db.Sensors, db.Sensors, nil).Seed(ctx, operator, sensors.SeedData{
		HazardTypes: d.city.HazardTypes, DatastreamTypes: d.city.DatastreamTypes, Devices: d.city.Devices,
		SecretSHA256: func(id string) []byte { return sensors.HashSecret(d.secret.Devices[id]) },
		Progress:     func(done int) { d.o.Progress("loading the devices", int64(done), total) },
	})
	if err != nil {
		return err
	}
	_, err = alerts.NewRules(db.Alerts, db.Sensors).Seed(ctx, operator, d.city.Rules)
	return err
}

// people returns the accounts of the demo: one of each role of the city, and one responder for each county that is in
// use.
func (d *Demo) people(ctx context.Context) ([]auth.NewAccount, error) {
	db, err := stores.Open(ctx, stores.Options{URL: d.url, MaxConns: 1, Logger: d.logger})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	people := []auth.NewAccount{
		{Login: "commander", Name: "市级指挥员（演示）", Role: core.RoleCommander, Division: d.o.City},
		{Login: "steward", Name: "数据管理员（演示）", Role: core.RoleSteward, Division: d.o.City},
		{Login: "observer", Name: "观察员（演示）", Role: core.RoleObserver, Division: d.o.City},
		{Login: "admin", Name: "系统管理员（演示）", Role: core.RoleAdministrator, Division: d.o.City},
	}
	counties, err := db.Catalogue.Divisions(ctx, false)
	if err != nil {
		return nil, err
	}
	for _, c := range counties {
		if len(c.Code) == 6 && c.ValidTo == nil && strings.HasPrefix(c.Code, d.o.City) {
			people = append(people, auth.NewAccount{Login: "r" + c.Code, Name: c.Name.ZH + "值守员（演示）", Role: core.RoleResponder, Division: c.Code})
		}
	}
	return people, nil
}

// makeAccounts creates the missing accounts with random passwords. The passwords are written to secrets.json first,
// because the database has only hashes. It does not change an account that exists, so a password that a person changed
// in the page differs from the one in demo.json.
func (d *Demo) makeAccounts(ctx context.Context) error {
	a, err := app.OpenAccounts(ctx, d.url, d.logger)
	if err != nil {
		return err
	}
	defer a.Close()
	people, err := d.people(ctx)
	if err != nil {
		return err
	}
	for _, p := range people {
		if d.secret.Accounts[p.Login] == "" {
			random, _ := sensors.NewSecret()
			d.secret.Accounts[p.Login] = random[:passwordLength]
		}
	}
	if err := writeSecret(d.o.Data, secretsFile, d.secret); err != nil {
		return err
	}
	there, err := a.List(ctx)
	if err != nil {
		return err
	}
	for i, p := range people {
		d.o.Progress("making the accounts", int64(i+1), int64(len(people)))
		password := d.secret.Accounts[p.Login]
		if !slices.ContainsFunc(there, func(a auth.Account) bool { return a.Login == p.Login }) {
			if err := a.Add(ctx, p.Login, p.Name, p.Role, p.Division, password); err != nil {
				return err
			}
		}
		d.info.Accounts = append(d.info.Accounts, Account{User: p.Login, Password: password, Role: string(p.Role), Division: p.Division})
	}
	return nil
}

// startServer starts the server on the database and waits until it is ready. If the private PostgreSQL ends later, the
// server fails with its error.
func (d *Demo) startServer(ctx context.Context) error {
	d.o.Progress("starting the server", 0, 0)
	a, err := app.Start(ctx, app.Options{Server: d.o.Server, DatabaseURL: d.url, Version: d.o.Version, Logger: d.logger})
	if err != nil {
		return err
	}
	d.App = a
	d.life.Push("server", a.Stop)
	d.life.Background(ctx, "watching PostgreSQL", func(ctx context.Context) {
		select {
		case <-d.cluster.Done():
			a.Fail(fmt.Errorf("the private PostgreSQL has ended: %w", d.cluster.Err()))
		case <-ctx.Done():
		}
	})
	return a.WaitReady(ctx)
}

// startSimulator starts the simulator for all devices except the one of the user. The server stops after the simulator
// and the devices are quiet, so that a stopped demo does not leave hundreds of devices as offline.
func (d *Demo) startSimulator(ctx context.Context) error {
	dev, err := d.visitorsDevice()
	if err != nil {
		return err
	}
	d.info.Device = dev
	if !d.o.Simulate {
		return nil
	}
	// The simulator does not publish for the device of the user, so that the device only has the values of the user.
	others := slices.DeleteFunc(slices.Clone(d.city.Devices), func(s sensors.Device) bool { return s.ID == dev.ID })
	d.life.Background(ctx, "simulator", func(ctx context.Context) {
		err := simulate(ctx, others, d.secret.Devices, SimulateOptions{
			Broker: d.MQTTAddr(), Seed: d.o.Seed, Speed: d.o.Speed, Scene: d.o.Scene, SceneAfter: d.o.SceneAfter, Quiet: true,
		}, d.logger)
		if err != nil && ctx.Err() == nil {
			d.Fail(fmt.Errorf("simulator: %w", err))
		}
	})
	return nil
}

// visitorsDevice returns the device for which the user of the demo can publish: the first one in visitorsDivision with a
// datastream of the type visitorsStream.
func (d *Demo) visitorsDevice() (Device, error) {
	var rule alerts.Rule
	for _, r := range d.city.Rules {
		if r.Type == visitorsStream && len(r.Thresholds) > 0 {
			rule = r
		}
	}
	for _, dev := range d.city.Devices {
		if dev.Division != visitorsDivision {
			continue
		}
		for _, s := range dev.Streams {
			if s.Type == visitorsStream && rule.Type != "" {
				return Device{
					ID: dev.ID, Password: d.secret.Devices[dev.ID], Division: dev.Division, Datastream: s.Name,
					Topic:    fmt.Sprintf("onemap/v1/%s/%s/%s", dev.Division, dev.ID, mqttjson.KindObs),
					RedAbove: rule.Thresholds[0].Raise, ClearBelow: rule.Thresholds[len(rule.Thresholds)-1].Clear,
				}, nil
			}
		}
	}
	return Device{}, fmt.Errorf("the synthetic city has no %s in %s with a rule", visitorsStream, visitorsDivision)
}

// writeInfo writes demo.json. It is the last step, because the server chooses its ports at the start if they are 0.
func (d *Demo) writeInfo(context.Context) error {
	d.info.HTTP, d.info.MQTT, d.info.Database = d.URL(), d.MQTTAddr(), d.url
	return writeSecret(d.o.Data, infoFile, d.info)
}

// checkDemoFolder returns fault.Invalid if the folder has files but no demo has run in it: such a folder was named by mistake,
// and nothing in it may be deleted. It returns os.ErrNotExist if the folder is missing.
func checkDemoFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	if len(entries) == 0 || slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == lockFile }) {
		return nil
	}
	return fault.InvalidField("--data", "%s holds other files and no demo; choose the folder of a demo with --data DIR", dir)
}
