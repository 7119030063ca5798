package data

import (
	"os"
	"path/filepath"
	"strings"

	"onemap/internal/fault"
)

// BaseEnv is the environment variable that names the folder of base data.
const BaseEnv = "ONEMAP_BASE_DATA"

// sourcesFile is the file by which a folder of base data is recognised.
const sourcesFile = "SOURCES.yaml"

// Find returns the folder of the base data. It tries, in this order: the folder given, the folder that the variable
// BaseEnv names, data/base in the working directory, data/base beside the program and beside the folder of the program,
// and /usr/share/onemap/base. It returns fault.NotFound with the folders that it tried. If a folder is given or named
// by BaseEnv and is wrong, Find does not try the others, so that a wrong setting is not hidden.
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
