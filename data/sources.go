package data

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"onemap/internal/core"
	"onemap/internal/fault"
)

// Source states where a file of the base data comes from and under which licence it may be used.
type Source struct {
	File        string      `yaml:"file" json:"file"` // in the folder of base data
	Layers      []string    `yaml:"layers" json:"layers"`
	Title       core.Text   `yaml:"title" json:"title"`
	Source      string      `yaml:"source" json:"source"`
	Version     string      `yaml:"version" json:"version"`
	SHA256      string      `yaml:"sha256" json:"sha256"` // of the file, hexadecimal
	Licence     string      `yaml:"licence" json:"licence"`
	LicenceFile string      `yaml:"licence_file" json:"licence_file"`
	Origin      core.Origin `yaml:"origin" json:"origin"`
	Attribution string      `yaml:"attribution" json:"attribution"` // for the credit line of the map; empty: none is needed
	Note        string      `yaml:"note" json:"note"`
}

// Sources reads SOURCES.yaml of a folder of base data. It returns fault.NotFound if there is no such file, and
// fault.Invalid if an entry has no file, source, licence or valid origin. An error of the YAML names the file and the
// line.
func Sources(dir string) ([]Source, error) {
	var all []Source
	if err := readYAML(filepath.Join(dir, sourcesFile), &all); err != nil {
		return nil, err
	}
	for i, s := range all {
		if s.File == "" || s.Licence == "" || s.Source == "" || !s.Origin.Valid() {
			return nil, fault.New(fault.Invalid, "%s: entry %d (%s) has no file, source, licence or valid origin", sourcesFile, i+1, s.File)
		}
	}
	return all, nil
}

// Attribution returns the credit line of the map. It has each attribution once, in the order of the sources.
func Attribution(sources []Source) string {
	var credits []string
	for _, s := range sources {
		if s.Attribution != "" && !slices.Contains(credits, s.Attribution) {
			credits = append(credits, s.Attribution)
		}
	}
	return strings.Join(credits, " · ")
}

// readYAML decodes a file into to. An unknown key is an error, so that a typing error in a key is found.
func readYAML(path string, to any) error {
	f, err := os.Open(path)
	if err != nil {
		return fault.Wrap(fault.NotFound, err, "read base data")
	}
	defer func() { _ = f.Close() }() // the file is only read, so an error of Close loses nothing
	if err := yaml.NewDecoder(f, yaml.Strict()).Decode(to); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
