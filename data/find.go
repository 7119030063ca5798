package data

import (
	"os"
	"path/filepath"
	"strings"

	"onemap/internal/fault"
)

// BaseEnv is the environment variable that names the folder of base data.
const BaseEnv = "ONEMAP_BASE_DATA"

// sourcesFile is in every folder of base data, and makes it one.
const sourcesFile = "SOURCES.yaml"

// Find returns the folder of base data: the one given, or else the one that BaseEnv names, or else the
// first there is of data/base in the working directory, data/base beside the program or beside its
// folder, and /usr/share/onemap/base. The error is fault.NotFound and names where it looked; a folder
// that was named is not passed over when it is wrong.
func Find(given string) (string, error) {
	if given == "" {
		given = os.Getenv(BaseEnv)
	}
	if given != "" {
		if isBase(given) {
			return given, nil
		}
		return "", fault.New(fault.NotFound, "%s is no folder of base data: it has no %s", given, sourcesFile)
	}
	places := []string{filepath.Join("data", "base")}
	if program, err := os.Executable(); err == nil {
		if target, err := filepath.EvalSymlinks(program); err == nil {
			program = target
		}
		dir := filepath.Dir(program)
		places = append(places, filepath.Join(dir, "data", "base"), filepath.Join(filepath.Dir(dir), "data", "base"))
	}
	places = append(places, "/usr/share/onemap/base")
	for _, dir := range places {
		if isBase(dir) {
			return dir, nil
		}
	}
	return "", fault.New(fault.NotFound, "the base data are not found in %s; name their folder by %s", strings.Join(places, ", "), BaseEnv)
}

func isBase(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, sourcesFile))
	return err == nil && info.Mode().IsRegular()
}
