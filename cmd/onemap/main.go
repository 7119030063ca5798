// Command onemap is the one map server and its tools. Each subcommand has a file of its own. The flags of a subcommand
// are the fields of its struct, which kong parses; the tags contain the help.
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

// cli defines the flags and subcommands of the command line.
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

// session holds what all subcommands share.
type session struct {
	logger   *slog.Logger
	log      *logFile // the file of the log; nil if the log goes to standard error
	progress *progress
	hangups  <-chan os.Signal // receives SIGHUP; only serve and demo use it
}

// logTo opens a log file and makes the logger write to it.
func (s *session) logTo(path string, c config.Common) error {
	f, err := openLog(path)
	if err != nil {
		return err
	}
	s.log, s.logger = f, newLogger(c, f)
	return nil
}

// close closes the log file, if there is one.
func (s *session) close() {
	if s.log == nil {
		return
	}
	if err := s.log.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "onemap: close the log:", err)
	}
}

// The exit codes. docs/data.md documents them for scripts, so they are a contract.
const (
	exitOK      = 0
	exitFailed  = 1
	exitUsage   = 2
	exitRefused = 3
)

// refusedRows is the error of an import of a layer or of readings that refused rows. The rows themselves have already
// been printed or written to a file.
type refusedRows struct{ taken, refused int64 }

// Error implements error. It states the number of refused rows and whether the others were imported.
func (r refusedRows) Error() string {
	if r.taken == 0 {
		return fmt.Sprintf("all %d rows were refused; nothing is imported", r.refused)
	}
	return fmt.Sprintf("%d rows were refused; all others are imported", r.refused)
}

// code returns exitRefused, or exitUsage if no row was imported.
func (r refusedRows) code() int {
	if r.taken == 0 {
		return exitUsage
	}
	return exitRefused
}

// refused returns the error of an import that imported taken rows and refused left rows. It returns nil if left is 0.
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

// run runs the program with its arguments and returns the exit code. It is separate from main, so that tests can call
// it and deferred functions run before os.Exit. Without arguments it prints the help.
func run(ctx context.Context, args []string) int {
	// SIGHUP is caught first, because without a handler it would end a server that is still starting. The channel keeps one
	// signal; several signals that arrive before it is read cause one reload.
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
		signal.Stop(hangups) // SIGHUP ends the other subcommands, for example when their terminal is closed
	}
	if c.Log != "" {
		if err := s.logTo(c.Log, c.Common); err != nil {
			return report(err)
		}
	}
	defer s.close()
	// kong passes these values to the Run method of the subcommand, by the types of its arguments.
	k.BindTo(ctx, (*context.Context)(nil))
	k.Bind(&c.Common)
	err = k.Run(s)
	s.progress.Done()
	return report(err)
}

// report prints the error to standard error and returns the exit code: 0 for no error and for an interrupt, 2 for wrong
// input, 3 for an import that refused some of the rows, and 1 for any other error.
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

// newLogger returns a logger with the level and format of the flags.
func newLogger(c config.Common, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		level = slog.LevelInfo // cannot happen, because kong has checked the value
	}
	opts := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// versionCmd is the subcommand version.
type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run() error {
	fmt.Println("onemap", version)
	return nil
}
