package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"onemap/internal/fault"
)

type testCLI struct {
	Common
	Serve struct {
		Server
		Database
	} `cmd:""`
	Demo struct {
		Server
		Demo
	} `cmd:""`
}

func parse(t *testing.T, args, environ []string) (*testCLI, error) {
	t.Helper()
	for _, e := range environ {
		k, v, _ := strings.Cut(e, "=")
		t.Setenv(k, v)
	}
	var cli testCLI
	_, err := Parse(&cli, args, environ, kong.Vars{}, kong.Exit(func(int) { t.Fatal("exit") }), kong.Writers(&strings.Builder{}, &strings.Builder{}))
	return &cli, err
}

func yamlFileWith(t *testing.T, text string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "onemap.yaml")
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPrecedenceFlagsEnvironmentFile(t *testing.T) {
	file := yamlFileWith(t, "http: 127.0.0.1:1\nmqtt: 127.0.0.1:2\nsession-ttl: 3h\ndatabase: postgres://u:secret@h/db\n")
	cli, err := parse(t, []string{"serve", "--config", file, "--http", "127.0.0.1:9"}, []string{"ONEMAP_MQTT=127.0.0.1:8", "ONEMAP_HTTP=127.0.0.1:7"})
	if err != nil {
		t.Fatal(err)
	}
	s := cli.Serve
	if s.HTTP != "127.0.0.1:9" || s.MQTT != "127.0.0.1:8" || s.SessionTTL != 3*time.Hour || s.City != "3706" {
		t.Errorf("got %+v", s.Server)
	}
	if u, err := s.URL(); err != nil || u != "postgres://u:secret@h/db" {
		t.Errorf("database %q, %v", u, err)
	}
}

func TestSimulateCanBeSwitchedOff(t *testing.T) {
	for _, arg := range []string{"--simulate=false", "--no-simulate"} {
		cli, err := parse(t, []string{"demo", arg}, nil)
		if err != nil || cli.Demo.Simulate {
			t.Errorf("%s: %v, simulate %v", arg, err, cli.Demo.Simulate)
		}
	}
}

// Each invalid option is refused with an error that names it.
func TestBadOptionsAreNamed(t *testing.T) {
	for name, c := range map[string]struct {
		args, env []string
		yaml      string
		want      string
	}{
		"unknown flag":     {args: []string{"serve", "--htpp=x"}, want: "--htpp"},
		"bad value":        {args: []string{"serve", "--session-ttl=soon"}, want: "--session-ttl"},
		"bad enum":         {args: []string{"serve", "--log-level=loud"}, want: "--log-level"},
		"unknown variable": {args: []string{"serve"}, env: []string{"ONEMAP_HTPP=x"}, want: "ONEMAP_HTPP"},
		"bad variable":     {args: []string{"serve"}, env: []string{"ONEMAP_MAX_PAYLOAD=big"}, want: "ONEMAP_MAX_PAYLOAD"},
		"unknown key":      {args: []string{"serve"}, yaml: "htpp: x\n", want: "htpp"},
		"nested key":       {args: []string{"serve"}, yaml: "http:\n  addr: x\n", want: "http"},
		"bad key's value":  {args: []string{"serve"}, yaml: "max-payload: big\n", want: "max-payload"},
		"bad yaml":         {args: []string{"serve"}, yaml: "http: [\n", want: "onemap.yaml"},
		"missing file":     {args: []string{"serve", "--config", "/no/such.yaml"}, want: "--config"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.yaml != "" {
				c.args = append(c.args, "--config", yamlFileWith(t, c.yaml))
			}
			_, err := parse(t, c.args, c.env)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v does not name %q", err, c.want)
			}
		})
	}
}

func TestPasswordsAreRefusedAsFlags(t *testing.T) {
	for _, args := range [][]string{
		{"serve", "--database=postgres://u:secret@h/db"},
		{"serve", "--database", "postgresql://u:secret@h/db"},
		{"serve", "--database=postgres://u@h/db?password=secret"},
	} {
		_, err := parse(t, args, nil)
		if !fault.Is(err, fault.Invalid) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v: %v", args, err)
		}
	}
	if _, err := parse(t, []string{"serve", "--database=postgres://u@h/db?sslmode=require"}, nil); err != nil {
		t.Errorf("a URL without a password is refused: %v", err)
	}
}

func TestDatabaseURL(t *testing.T) {
	file := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(file, []byte("postgres://h/db\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if u, err := (Database{DatabaseFile: file}).URL(); err != nil || u != "postgres://h/db" {
		t.Errorf("from a file: %q, %v", u, err)
	}
	for _, d := range []Database{{}, {Database: "mysql://h"}, {DatabaseFile: "/no/such"}, {Database: "://"}} {
		if _, err := d.URL(); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", d, err)
		}
	}
}
