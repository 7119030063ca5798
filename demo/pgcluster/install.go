package pgcluster

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"onemap/internal/fault"
)

// minVersion is the oldest major version of PostgreSQL that onemap supports.
const minVersion = 15

// debianRoot is the folder in which Debian has one folder for each major version.
const debianRoot = "/usr/lib/postgresql"

// installation is an installed version of PostgreSQL.
type installation struct {
	bin     string // folder of initdb and postgres
	version string // major version, in the form of the file PG_VERSION
	number  int    // the same as a number
	postgis bool   // PostGIS is installed for this version
}

// program returns the path of a program of the installation.
func (i installation) program(name string) string { return filepath.Join(i.bin, name) }

// findInstallation returns the PostgreSQL of the version that created the data, because another major version cannot
// read them. Without data it returns the newest version with PostGIS. It returns fault.Unavailable with the package to
// install if there is none.
func findInstallation(ctx context.Context, data string) (installation, error) {
	all := installations(ctx, debianRoot)
	if made, err := os.ReadFile(filepath.Join(data, "PG_VERSION")); err == nil {
		version := strings.TrimSpace(string(made))
		i := slices.IndexFunc(all, func(in installation) bool { return in.version == version })
		if i < 0 {
			return installation{}, fault.New(fault.Unavailable,
				"the data in %s was made by PostgreSQL %s, which is not installed (found: %s): apt-get install postgresql-%s-postgis-3, or wipe the data with make reset",
				data, version, versions(all), version)
		}
		return all[i], nil
	}
	for _, in := range all {
		if in.postgis {
			return in, nil
		}
	}
	if len(all) > 0 {
		return installation{}, fault.New(fault.Unavailable,
			"PostgreSQL %s is installed without PostGIS: apt-get install postgresql-%s-postgis-3", all[0].version, all[0].version)
	}
	return installation{}, fault.New(fault.Unavailable,
		"PostgreSQL %d or newer is not installed (looked in %s/*/bin and PATH): apt-get install postgresql-%d-postgis-3", minVersion, debianRoot, minVersion)
}

// installations lists the installed versions from minVersion on, newest first. It looks in the folders of Debian and,
// for other systems, in PATH.
func installations(ctx context.Context, root string) []installation {
	var all []installation
	bins, _ := filepath.Glob(filepath.Join(root, "*", "bin")) // the pattern is well-formed
	if path, err := exec.LookPath("initdb"); err == nil {
		if resolved, err := filepath.EvalSymlinks(path); err == nil {
			bins = append(bins, filepath.Dir(resolved))
		}
	}
	for _, bin := range bins {
		in, ok := inspect(ctx, bin)
		if ok && !slices.ContainsFunc(all, func(o installation) bool { return o.version == in.version }) {
			all = append(all, in)
		}
	}
	slices.SortFunc(all, func(a, b installation) int { return b.number - a.number })
	return all
}

// inspect returns the installation in a folder of programs. It returns false if there is none or it is too old. It
// reads the version from the program, which prints "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)".
func inspect(ctx context.Context, bin string) (installation, bool) {
	for _, program := range []string{"initdb", "postgres"} {
		if _, err := os.Stat(filepath.Join(bin, program)); err != nil {
			return installation{}, false
		}
	}
	out, err := exec.CommandContext(ctx, filepath.Join(bin, "postgres"), "--version").Output()
	words := strings.Fields(string(out))
	if err != nil || len(words) < 3 {
		return installation{}, false
	}
	major := strings.FieldsFunc(words[2], func(r rune) bool { return r < '0' || r > '9' })
	if len(major) == 0 {
		return installation{}, false
	}
	number, err := strconv.Atoi(major[0])
	if err != nil || number < minVersion {
		return installation{}, false
	}
	in := installation{bin: bin, version: major[0], number: number}
	share := filepath.Join("/usr/share/postgresql", in.version)
	if out, err := exec.CommandContext(ctx, filepath.Join(bin, "pg_config"), "--sharedir").Output(); err == nil {
		share = strings.TrimSpace(string(out))
	}
	_, err = os.Stat(filepath.Join(share, "extension", "postgis.control"))
	in.postgis = err == nil
	return in, true
}

// versions lists the versions for an error message.
func versions(all []installation) string {
	if len(all) == 0 {
		return "none"
	}
	names := make([]string, len(all))
	for i, in := range all {
		names[i] = in.version
	}
	return strings.Join(names, ", ")
}
