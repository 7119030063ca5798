package config

import (
	"fmt"
	"os"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"

	"onemap/internal/fault"
)

// yamlFile resolves flags from a flat YAML mapping whose keys are the names of flags. Unlike kong's own resolvers, it refuses
// unknown keys.
type yamlFile struct {
	path   string
	values map[string]any
}

// load reads the file. Without a file it does nothing.
func (y *yamlFile) load() error {
	if y.path == "" {
		return nil
	}
	b, err := os.ReadFile(y.path)
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "--config cannot be read")
	}
	if err := yaml.Unmarshal(b, &y.values); err != nil {
		return fault.Wrap(fault.Invalid, err, "%s", y.path)
	}
	return nil
}

// Validate implements kong.Resolver. It refuses keys that are not a flag of any command.
func (y *yamlFile) Validate(app *kong.Application) error {
	known := map[string]bool{}
	for _, f := range allFlags(app.Node) {
		known[f.Name] = true
	}
	for k := range y.values {
		if !known[k] || k == "config" {
			return fault.InvalidField(k, "no such option (in %s)", y.path)
		}
	}
	return nil
}

// Resolve implements kong.Resolver. It returns the value of a flag from the file, or nil if the file does not have it or if
// the environment, which has precedence, does.
func (y *yamlFile) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	v, ok := y.values[flag.Name]
	if !ok {
		return nil, nil
	}
	for _, e := range flag.Envs {
		if _, set := os.LookupEnv(e); set {
			return nil, nil
		}
	}
	switch v.(type) {
	case map[string]any, []any, nil:
		return nil, fault.InvalidField(flag.Name, "must be a plain value (in %s)", y.path)
	default:
		return fmt.Sprint(v), nil
	}
}
