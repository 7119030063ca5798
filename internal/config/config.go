// Package config is the only source of options: flags, environment (ONEMAP_…) and a YAML file, in this order of precedence.
// An unknown key or a wrong value is an error that names it. Secrets are never flags, because `ps` shows flags to all users.
// They come from the environment, a file, or the terminal.
package config

import (
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"onemap/internal/fault"
)

// Common holds the options of every command.
type Common struct {
	Config    string `help:"YAML file with options; keys are the flags' names." placeholder:"FILE" type:"path"`
	LogLevel  string `help:"Least level that is logged: debug, info, warn or error." enum:"debug,info,warn,error" default:"info"`
	LogFormat string `help:"Form of the log: text or json." enum:"text,json" default:"text"`
	Log       string `help:"File that the log is appended to; SIGHUP opens it anew. Standard error when not given; in the demo, onemap.log in its data." placeholder:"FILE" type:"path"`
}

// Database holds the options of the connection to PostgreSQL.
type Database struct {
	Database     string `help:"PostgreSQL URL. One with a password belongs into ONEMAP_DATABASE, the YAML file or --database-file." placeholder:"URL"`
	DatabaseFile string `help:"File that holds the PostgreSQL URL." placeholder:"FILE" type:"path"`
	DatabaseMax  int    `help:"Most connections that this process opens." default:"16"`
}

// URL returns the PostgreSQL URL from the flag, the environment, the YAML file or the file that --database-file names. It
// returns fault.Invalid if there is none.
func (d Database) URL() (string, error) {
	raw := d.Database
	if d.DatabaseFile != "" {
		b, err := os.ReadFile(d.DatabaseFile)
		if err != nil {
			return "", fault.Wrap(fault.Invalid, err, "--database-file cannot be read")
		}
		raw = strings.TrimSpace(string(b))
	}
	if raw == "" {
		return "", fault.InvalidField("database", "no PostgreSQL URL: set ONEMAP_DATABASE, --database-file, or `database` in the YAML file; `onemap demo` needs none")
	}
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return "", fault.InvalidField("database", "not a PostgreSQL URL (postgres://user@host:5432/name)")
	}
	return raw, nil
}

// Server holds the options of `onemap serve`; `onemap demo` extends them.
type Server struct {
	HTTP          string        `name:"http" help:"Address of the web server." default:"127.0.0.1:8080" placeholder:"ADDR"`
	Metrics       string        `help:"Address of a listener of its own for /metrics, without a login; the web server's /metrics then needs an administrator's login." placeholder:"ADDR"`
	MQTT          string        `name:"mqtt" help:"Address of the embedded MQTT broker; off: none, with --broker." default:"127.0.0.1:1883" placeholder:"ADDR"`
	MQTTTLS       string        `name:"mqtt-tls" help:"Address of the embedded broker's TLS listener." placeholder:"ADDR"`
	MQTTWS        string        `name:"mqtt-ws" help:"Address of the embedded broker's WebSocket listener." placeholder:"ADDR"`
	MQTTWSS       string        `name:"mqtt-wss" help:"Address of the embedded broker's WebSocket listener over TLS." placeholder:"ADDR"`
	MQTTCert      string        `name:"mqtt-cert" help:"Certificate chain of the embedded broker, PEM; read anew when it changes, and on SIGHUP." placeholder:"FILE" type:"path"`
	MQTTKey       string        `name:"mqtt-key" help:"Private key of --mqtt-cert, PEM." placeholder:"FILE" type:"path"`
	MQTTKeepAlive time.Duration `name:"mqtt-keepalive" help:"Longest keep-alive of a device at the embedded broker, 1s to 18h12m15s: after one and a half times so long without a word its connection ends." default:"12h"`
	Committers    int           `help:"Commits of readings that may run side by side; 0: as many as were measured to pay." default:"0"`

	Broker             string `help:"URL of an external MQTT broker to read from: mqtt://host:1883, mqtts://host:8883." placeholder:"URL"`
	BrokerUser         string `help:"User at the external broker; its password is in ONEMAP_BROKER_PASSWORD or --broker-password-file." placeholder:"NAME"`
	BrokerPassword     string `kong:"-"`
	BrokerPasswordFile string `help:"File that holds the password at the external broker." placeholder:"FILE" type:"path"`
	BrokerClientID     string `name:"broker-client-id" help:"Client id at the external broker, of its own for each node, and the same after a restart; onemap-NODE when not given." placeholder:"ID"`
	BrokerGroup        string `help:"Share the subscription with other nodes: the name of the $share group." placeholder:"NAME"`
	BrokerCA           string `name:"broker-ca" help:"Certificates that the external broker's is checked with, PEM; the system's when not given." placeholder:"FILE" type:"path"`
	BrokerCert         string `help:"Client certificate for the external broker, PEM." placeholder:"FILE" type:"path"`
	BrokerKey          string `help:"Private key of --broker-cert, PEM." placeholder:"FILE" type:"path"`

	BaseData    string        `help:"Folder of the base data; found beside the program when not given." placeholder:"DIR" type:"path"`
	Node        string        `help:"Name of this node; the host's name when not given." placeholder:"NAME"`
	City        string        `help:"Division code of the city." default:"3706"`
	Sender      string        `help:"Sender of the CAP messages." default:"yantai.emergency.gov.cn"`
	SessionTTL  time.Duration `name:"session-ttl" help:"How long a login lasts without being used." default:"12h"`
	SessionMax  time.Duration `name:"session-max" help:"How long a login lasts whatever the use." default:"168h"`
	Origin      []string      `help:"Address at which people open the pages, as https://map.example.org, where a proxy changes it on the way; may be given more than once." placeholder:"URL"`
	Base        string        `help:"Path that everything is served below, as /onemap, where a proxy gives this server only a part of its addresses." placeholder:"PATH"`
	Proxy       []string      `help:"Network of a proxy before this server, as 127.0.0.1/32: its X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host are believed. Then /metrics needs a login, or --metrics." placeholder:"CIDR"`
	MaxPayload  int           `help:"Largest MQTT payload that is taken, in bytes." default:"65536"`
	DeviceQuota int           `help:"Readings a minute that one device may send to the embedded broker; beyond it reading from the device pauses. 0: as many as can be stored." default:"0"`
	TileCache   int           `help:"Memory for tiles that were made, in MiB; below 0 none are kept." default:"256"`
	TileMax     int64         `help:"Layers with more features are drawn by the database, not from memory." default:"5000000"`
	PruneEvery  time.Duration `help:"How often what has outlived its retention is removed." default:"1h"`
	Quarantined time.Duration `name:"quarantine-keep" help:"How long what could not be decoded is kept." default:"720h"`
	EventsKeep  time.Duration `help:"How long the event log is kept." default:"8760h"`
}

// Demo holds the additional options of `onemap demo`.
type Demo struct {
	Data       string        `help:"Folder of the demo's data." default:"var" placeholder:"DIR" type:"path"`
	Seed       uint64        `help:"Seed of the synthetic city and of the simulator." default:"1"`
	Simulate   bool          `help:"Let the simulator publish." default:"true" negatable:""`
	Speed      float64       `help:"How fast the simulator's scenes run." default:"1"`
	Scene      string        `help:"Scene that the demo plays: heavy_rain, chlorine_leak, storm_surge, silent_device or none." default:"heavy_rain" enum:"heavy_rain,chlorine_leak,storm_surge,silent_device,none"`
	SceneAfter time.Duration `help:"When the scene begins, after the start." default:"3m"`
	Reset      bool          `help:"Wipe the demo's data and exit."`
}

// notOptions are the environment variables that begin with ONEMAP_ and are not the variable of a flag.
var notOptions = map[string]bool{"ONEMAP_PASSWORD": true, "ONEMAP_PASSWORD_FILE": true, "ONEMAP_BROKER_PASSWORD": true, "ONEMAP_CAP_XSD": true} //nolint:gochecknoglobals // a constant table

// Parse reads args (without the name of the program), environ ("NAME=value") and the YAML file into cli, and returns the
// chosen command. cli is a pointer to a struct of kong commands. A wrong option is an error of kind fault.Invalid.
func Parse(cli any, args, environ []string, vars kong.Vars, opts ...kong.Option) (*kong.Context, error) {
	y := &yamlFile{path: configPath(args, environ)}
	opts = append([]kong.Option{
		kong.Name("onemap"),
		kong.Description("One map of a city's risks: sensors, alerts and the people who answer them."),
		kong.UsageOnError(), vars,
		kong.DefaultEnvars("ONEMAP"),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	}, opts...)
	// The order matters: the file must be loaded before kong resolves flags, and unknown names are refused before parsing.
	if err := y.load(); err != nil {
		return nil, err
	}
	opts = append(opts, kong.Resolvers(y))
	parser, err := kong.New(cli, opts...)
	if err != nil {
		return nil, fmt.Errorf("build the command line: %w", err)
	}
	if err := passwordInArgs(args); err != nil {
		return nil, err
	}
	if err := unknownVariables(parser.Model, environ); err != nil {
		return nil, err
	}
	ctx, err := parser.Parse(args)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "options")
	}
	return ctx, nil
}

// passwordInArgs returns an error if an argument is a PostgreSQL URL with a password, because `ps` shows arguments to all
// users.
func passwordInArgs(args []string) error {
	for _, a := range args {
		if i := strings.Index(a, "postgres"); i > 0 && strings.HasPrefix(a, "--") {
			a = a[i:] // --flag=postgres://…
		}
		u, err := url.Parse(a)
		if err != nil || !strings.HasPrefix(u.Scheme, "postgres") {
			continue
		}
		if _, has := u.User.Password(); has || u.Query().Has("password") {
			return fault.InvalidField("--database", "holds a password, which `ps` would show; set ONEMAP_DATABASE or use --database-file")
		}
	}
	return nil
}

// unknownVariables returns an error for a variable that looks like an option but is not one. Otherwise a misspelled option
// would silently have its default.
func unknownVariables(app *kong.Application, environ []string) error {
	known := map[string]bool{}
	for _, f := range allFlags(app.Node) {
		for _, e := range f.Envs {
			known[e] = true
		}
	}
	for _, e := range environ {
		name, _, _ := strings.Cut(e, "=")
		if strings.HasPrefix(name, "ONEMAP_") && !known[name] && !notOptions[name] {
			return fault.InvalidField(name, "no such option; `onemap --help` lists them")
		}
	}
	return nil
}

// allFlags returns the flags of a command and of everything below it.
func allFlags(n *kong.Node) []*kong.Flag {
	flags := append([]*kong.Flag(nil), n.Flags...)
	for _, c := range n.Children {
		flags = append(flags, allFlags(c)...)
	}
	return flags
}

// configPath finds --config before kong parses the flags, because the values of the file take part in the parsing.
func configPath(args, environ []string) string {
	for i, a := range args {
		if v, ok := strings.CutPrefix(a, "--config="); ok {
			return v
		}
		if a == "--config" && i+1 < len(args) {
			return args[i+1]
		}
	}
	for _, e := range environ {
		if v, ok := strings.CutPrefix(e, "ONEMAP_CONFIG="); ok {
			return v
		}
	}
	return ""
}
