package pgcluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"onemap/internal/fault"
)

// maxSocketPath is what sockaddr_un holds, without its terminating zero.
const maxSocketPath = 107

const socketFile = ".s.PGSQL.5432"

// owner is the user that the server runs as; PostgreSQL refuses to run as root.
type owner struct {
	name string
	cred *syscall.Credential // nil: this process's own user
}

// findOwner returns the user of this process. If that is root, it returns the user "postgres", or the user "nobody" if
// there is no user "postgres". It returns fault.Unavailable if neither exists.
func findOwner() (owner, error) {
	if os.Geteuid() != 0 {
		return owner{name: "uid " + strconv.Itoa(os.Geteuid())}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if uidErr != nil || gidErr != nil {
			continue
		}
		return owner{name: name, cred: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
	}
	return owner{}, fault.New(fault.Unavailable, "PostgreSQL does not run as root, and there is neither a user postgres nor nobody to run it as")
}

// command prepares a program of PostgreSQL's to run as the owner, without this process's PG… variables.
func (w owner) command(ctx context.Context, dir, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "HOME=/", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: w.cred, Setpgid: true}
	return cmd
}

// give makes a folder of mode 0700 that belongs to the owner.
func (w owner) give(path string) error {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", path)
	}
	if w.cred != nil {
		return errors.Join(os.Chown(path, int(w.cred.Uid), int(w.cred.Gid)), os.Chmod(path, 0o700))
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to another user", path)
	}
	return os.Chmod(path, 0o700)
}

// reaches reports whether the owner can enter the folder, by entering it as the owner.
func (w owner) reaches(ctx context.Context, path string) bool {
	return w.command(ctx, path, "/bin/true").Run() == nil
}

// place is where a cluster lives.
type place struct {
	data, socket string
	notice       string
}

// fallbackData depends on the folder's name alone, so that the next run finds the same data.
func fallbackData(dir string) string { return "/var/lib/onemap-" + shortHash(dir) }

// fallbackSocket is under /run for root and in the temporary folder for others, who may not write /run.
func fallbackSocket(dir string) string {
	if os.Geteuid() == 0 {
		return "/run/onemap-" + shortHash(dir)
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("onemap-%d-%s", os.Geteuid(), shortHash(dir)))
}

// choosePlace decides where data and socket go. Data that is there decides; else the folder itself
// when the owner can reach it, else the fallback.
func choosePlace(ctx context.Context, dir string, w owner) (place, error) {
	p := place{data: filepath.Join(dir, "data"), socket: filepath.Join(dir, "run")}
	var why []string
	reached := w.reaches(ctx, dir)
	switch here, there := hasData(p.data), hasData(fallbackData(dir)); {
	case here && !reached:
		return p, fault.New(fault.Unavailable, "the data in %s cannot be reached by the user %s, who runs PostgreSQL: make its parent folders searchable, or move it", p.data, w.name)
	case here:
	case there || !reached:
		p.data = fallbackData(dir)
		why = append(why, fmt.Sprintf("the user %s cannot reach %s: the data is in %s", w.name, dir, p.data))
	}
	switch {
	case p.data == fallbackData(dir) || !reached:
		p.socket = fallbackSocket(dir)
		why = append(why, "the socket is in "+p.socket)
	case len(filepath.Join(p.socket, socketFile)) > maxSocketPath:
		p.socket = fallbackSocket(dir)
		why = append(why, fmt.Sprintf("the path of a socket in %s would be longer than %d bytes: it is in %s", dir, maxSocketPath, p.socket))
	}
	p.notice = strings.Join(why, "; ")
	if err := w.give(p.socket); err != nil {
		return p, fault.Wrap(fault.Unavailable, err, "make the folder of the database's socket")
	}
	return p, nil
}

func hasData(path string) bool {
	_, err := os.Stat(filepath.Join(path, "PG_VERSION"))
	return err == nil
}
