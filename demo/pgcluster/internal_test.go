package pgcluster

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"onemap/internal/fault"
)

func TestInstallationsAreFoundInTheirFoldersAndInThePath(t *testing.T) {
	t.Setenv("PATH", "")
	if got := installations(t.Context(), t.TempDir()); len(got) != 0 {
		t.Errorf("found %v where there is nothing", got)
	}
	all := installations(t.Context(), debianRoot)
	if len(all) == 0 {
		t.Fatalf("no PostgreSQL in %s", debianRoot)
	}
	t.Setenv("PATH", all[0].bin)
	if got := installations(t.Context(), t.TempDir()); len(got) != 1 || got[0].version != all[0].version {
		t.Errorf("by the path: %v, want %v", got, all[0])
	}
}

func TestAnOldPostgreSQLIsNotTaken(t *testing.T) {
	root := t.TempDir()
	bin := filepath.Join(root, "9.6", "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"initdb", "postgres"} {
		script := "#!/bin/sh\necho 'postgres (PostgreSQL) 9.6.24'\n"
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", "")
	if got := installations(t.Context(), root); len(got) != 0 {
		t.Errorf("took %v", got)
	}
}

// The next start stops a server that is still running after its parent has died, for example because the parent-death
// signal was lost.
func TestALeftOverServerIsStopped(t *testing.T) {
	root, err := os.MkdirTemp("", "pgcluster-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	ctx := t.Context()
	w, err := findOwner()
	if err != nil {
		t.Fatal(err)
	}
	p, err := choosePlace(ctx, root, w)
	if err != nil {
		t.Fatal(err)
	}
	inst, err := findInstallation(ctx, p.data)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Dir: root, Fast: true}.withDefaults()
	if err := initialise(ctx, o, inst, w, p.data); err != nil {
		t.Fatal(err)
	}
	orphan := w.command(context.WithoutCancel(ctx), "/", inst.program("postgres"), settings(o, p)...)
	if err := orphan.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- orphan.Wait() }()
	waitForPidFile(t, p.data, ended)

	var steps []string
	o.Progress = func(s string) { steps = append(steps, s) }
	c, err := Start(ctx, o)
	if err != nil {
		t.Fatalf("start beside a left-over server: %v", err)
	}
	if err := <-ended; err != nil {
		t.Logf("the left-over server ended with %v", err)
	}
	if !strings.Contains(strings.Join(steps, "\n"), "left behind") {
		t.Errorf("nobody was told: %q", steps)
	}
	if err := c.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func waitForPidFile(t *testing.T, data string, ended <-chan error) {
	t.Helper()
	for {
		select {
		case err := <-ended:
			t.Fatalf("the server ended: %v", err)
		case <-t.Context().Done():
			t.Fatal("no server")
		case <-time.After(20 * time.Millisecond):
		}
		content, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
		if err == nil && strings.Contains(string(content), "ready") {
			return
		}
	}
}

// A released folder is free, even if a child that is being forked still has the lock file.
func TestTheLockGoesBeforeTheCopiesOfItsFile(t *testing.T) {
	dir := t.TempDir()
	lock, err := lockFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockFolder(dir); !fault.Is(err, fault.Conflict) {
		t.Errorf("locked twice: %v", err)
	}
	copied, err := syscall.Dup(int(lock.Fd())) // as a fork does
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(copied) })
	if err := letGo(nil, lock); err != nil {
		t.Fatal(err)
	}
	again, err := lockFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := letGo(nil, again); err != nil {
		t.Error(err)
	}
}

func TestMissingPackagesAreNamed(t *testing.T) {
	data := t.TempDir()
	if err := os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte("99\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := findInstallation(t.Context(), data)
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "apt-get install postgresql-99-postgis-3") {
		t.Errorf("got %v", err)
	}
}

func TestTheServerHasAProcessGroupOfItsOwn(t *testing.T) {
	cmd := owner{}.command(t.Context(), "/", "/bin/true")
	if !cmd.SysProcAttr.Setpgid {
		t.Error("Ctrl-C in a terminal would reach the server before us")
	}
	for _, v := range cmd.Env {
		if strings.HasPrefix(v, "PG") {
			t.Errorf("%s leaks in", v)
		}
	}
}
