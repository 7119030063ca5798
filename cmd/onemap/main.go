// Command onemap is the one map server and its tools: one small file a subcommand.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"onemap/internal/config"
	"onemap/internal/fault"
)

// version is set by the linker.
var version = "dev"

// cli is the whole grammar of the command line.
type cli struct {
	config.Common

	Serve    serveCmd              `cmd:"" help:"Run the server against a PostgreSQL database."`
	Demo     demoCmd               `cmd:"" help:"Run everything on this machine: a private PostgreSQL, the broker, a synthetic city and its simulator."`
	Migrate  migrateCmd            `cmd:"" help:"Bring a database's tables up to this version."`
	Import   importCmd             `cmd:"" help:"Create or replace a layer from GeoJSON or CSV, or load the base data."`
	Readings importObservationsCmd `cmd:"" name:"import-observations" help:"Import readings from CSV or NDJSON files; goes on where it was stopped."`
	Simulate simulateCmd           `cmd:"" help:"Publish over MQTT as the synthetic city's devices do."`
	Doctor   doctorCmd             `cmd:"" help:"Look at the database and at an external broker for what loses readings."`
	User     userCmd               `cmd:"" help:"Accounts: add, passwd, list."`
	Version  versionCmd            `cmd:"" help:"Print the version."`
}

// session is what every command runs with.
type session struct {
	logger   *slog.Logger
	log      *logFile // that logger writes to; nil is standard error
	progress *progress
	hangups  <-chan os.Signal // SIGHUP, for a server
}

// logTo sends the log to a file.
func (s *session) logTo(path string, c config.Common) error {
	f, err := openLog(path)
	if err != nil {
		return err
	}
	s.log, s.logger = f, newLogger(c, f)
	return nil
}

// close closes the log.
func (s *session) close() {
	if s.log == nil {
		return
	}
	if err := s.log.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "onemap: close the log:", err)
	}
}

// Exit codes; docs/data.md names them.
const (
	exitOK      = 0
	exitFailed  = 1
	exitUsage   = 2
	exitRefused = 3
)

// refusedRows is the error of an import, of layers and of readings alike, of which rows were refused that are named already.
type refusedRows struct{ taken, refused int64 }

// Error says how many, and what became of the others.
func (r refusedRows) Error() string {
	if r.taken == 0 {
		return fmt.Sprintf("all %d rows were refused; nothing is imported", r.refused)
	}
	return fmt.Sprintf("%d rows were refused; all others are imported", r.refused)
}

// code is exitRefused, or exitUsage when nothing at all could be taken.
func (r refusedRows) code() int {
	if r.taken == 0 {
		return exitUsage
	}
	return exitRefused
}

// refused is the error of an import that took so many rows and refused so many: nil when it refused none.
func refused(taken, left int64) error {
	if left == 0 {
		return nil
	}
	return refusedRows{taken, left}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string) int {
	// Caught before anything else: a server that is just starting must not end by it. One waiting hang-up stands for many.
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	var c cli
	if len(args) == 0 {
		args = []string{"--help"}
	}
	k, err := config.Parse(&c, args, os.Environ(), kong.Vars{"version": version})
	if err != nil {
		return report(err)
	}
	s := &session{logger: newLogger(c.Common, os.Stderr), progress: newProgress(os.Stderr), hangups: hangups}
	if name := k.Selected().Name; name != "serve" && name != "demo" {
		signal.Stop(hangups) // it ends a tool, as when its terminal is closed
	}
	if c.Log != "" {
		if err := s.logTo(c.Log, c.Common); err != nil {
			return report(err)
		}
	}
	defer s.close()
	k.BindTo(ctx, (*context.Context)(nil))
	k.Bind(&c.Common)
	err = k.Run(s)
	s.progress.Done()
	return report(err)
}

// report says on stderr what went wrong; wrong input is exit code 2, an import that left some of the rows out 3.
func report(err error) int {
	var rows refusedRows
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return exitOK
	case errors.As(err, &rows):
		fmt.Fprintln(os.Stderr, "onemap:", err)
		return rows.code()
	case fault.Is(err, fault.Invalid):
		fmt.Fprintln(os.Stderr, "onemap:", err)
		return exitUsage
	default:
		fmt.Fprintln(os.Stderr, "onemap:", err)
		return exitFailed
	}
}

func newLogger(c config.Common, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		level = slog.LevelInfo // kong has checked the enumeration
	}
	opts := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run() error {
	fmt.Println("onemap", version)
	return nil
}
