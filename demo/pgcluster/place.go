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

// maxSocketPath is the longest path of a unix socket on Linux, in bytes: sun_path of sockaddr_un without its final zero.
const maxSocketPath = 107

// socketFile is the name of the socket that PostgreSQL makes for the port 5432.
const socketFile = ".s.PGSQL.5432"

// owner is the user that runs the server. PostgreSQL refuses to run as root.
type owner struct {
	name string
	cred *syscall.Credential // nil: the user of this process
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

// command returns a command that runs a program as the owner, in a process group of its own. It does not pass on the
// environment of this process, because variables such as PGDATA would change what the program does.
func (w owner) command(ctx context.Context, dir, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "HOME=/", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: w.cred, Setpgid: true}
	return cmd
}

// give creates a folder with mode 0700 that belongs to the owner, or changes an existing folder to this. It returns an
// error if the path is not a folder, such as a symbolic link, or belongs to another user and this process is not root.
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

// reaches reports whether the owner can enter the folder. It runs a program as the owner in it, because the permissions
// of all parent folders count too.
func (w owner) reaches(ctx context.Context, path string) bool {
	return w.command(ctx, path, "/bin/true").Run() == nil
}

// place has the folders of a cluster.
type place struct {
	data, socket string // folders of the data and of the socket
	notice       string // why they are not in the folder of the cluster; empty if they are
}

// fallbackData returns the folder of the data for a cluster whose owner cannot enter dir. It depends only on dir, so
// that the next run finds the same data.
func fallbackData(dir string) string { return "/var/lib/onemap-" + shortHash(dir) }

// fallbackSocket returns the folder of the socket if dir cannot hold it. It is in /run for root, and in the temporary
// folder for other users, who may not write to /run.
func fallbackSocket(dir string) string {
	if os.Geteuid() == 0 {
		return "/run/onemap-" + shortHash(dir)
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("onemap-%d-%s", os.Geteuid(), shortHash(dir)))
}

// choosePlace chooses the folders of the data and the socket and creates the folder of the socket. Existing data decide
// the folder of the data. Without data it is in dir if the owner can enter dir, and the fallback otherwise. The socket
// is in dir, unless the data are not, or the path of the socket would be too long. It returns fault.Unavailable if
// there are data in dir and the owner cannot enter it.
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

// hasData reports whether the folder has the data of a PostgreSQL cluster.
func hasData(path string) bool {
	_, err := os.Stat(filepath.Join(path, "PG_VERSION"))
	return err == nil
}
