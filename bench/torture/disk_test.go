package torture_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// The disk of the database becomes full and then has room again. The database is a tablespace on a small tmpfs if this
// process may mount one; TestTableFull tests the same without that right.
func TestDiskFull(t *testing.T) {
	sideBySide(t)
	if !mayMount() {
		t.Log("no file system can be mounted here: the full disk is that of one table alone")
		tableFull(t, "disk full (a table's file), again")
		return
	}
	var room string
	s := newStage(t, diskSize(), staging{create: func(p *postgres) { room = smallDisk(t, p) }})
	var filler string
	s.broken(func() { filler = fillUp(t, room) }, func() {
		s.server.away()
		s.starve(s.size.outage)
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
	})
	s.finish()
	s.ledger.check("the database's disk full (tmpfs)")
}

// mayMount reports whether a tmpfs can be mounted.
func mayMount() bool {
	dir, err := os.MkdirTemp("", "onemap-torture-mount-")
	if err != nil {
		return false
	}
	defer func() { _ = os.Remove(dir) }()
	if syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4096") != nil {
		return false
	}
	return syscall.Unmount(dir, 0) == nil
}

// smallDisk creates the database on a tmpfs and returns its folder. The tmpfs is unmounted when this process ends.
func smallDisk(t testing.TB, p *postgres) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "onemap-torture-disk-")
	if err != nil {
		t.Fatal(err)
	}
	owner, err := os.Stat(p.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	is := owner.Sys().(*syscall.Stat_t)
	options := "mode=0700,size=256m,uid=" + strconv.Itoa(int(is.Uid)) + ",gid=" + strconv.Itoa(int(is.Gid))
	mounted := hold(t, `mount -t tmpfs -o "$2" onemap-torture "$1" && echo && cat >/dev/null; umount -l "$1"; rmdir "$1"`, dir, options)
	t.Cleanup(func() {
		if err := mounted.Close(); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	p.exec("postgres", "create tablespace small location '"+dir+"'")
	p.exec("postgres", "create database "+database+" tablespace small")
	return dir
}

// fillUp fills a file system and returns the file that occupies it.
func fillUp(t testing.TB, dir string) string {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	_, err = io.Copy(f, zeros{})
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk cannot be filled: %v", err)
	}
	return f.Name()
}

// zeros is an endless reader.
type zeros struct{}

// Read reports len(b) bytes and leaves b as it is, which is zero in a new buffer.
func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// No page can be added to the month's table that the devices reach: its file, still empty, is replaced by the kernel's
// /dev/full, which refuses every write. The test needs no rights beyond those of the database's owner.
func TestTableFull(t *testing.T) {
	sideBySide(t)
	tableFull(t, "disk full (a table's file)")
}

func tableFull(t *testing.T, name string) {
	now := time.Now().UTC()
	next := time.Date(now.Year(), now.Month()-1, 1, 0, 0, 0, 0, time.UTC)
	s := newStage(t, diskSize(), staging{plan: func(s *stage, d *device) []row { return across(s, d, next) }})
	file := s.fullTable(next)
	s.publish()
	s.server.away()
	s.pause(s.size.outage)
	if err := os.Rename(file+".kept", file); err != nil {
		t.Fatal(err)
	}
	// a connection that has the full file open must open it again
	s.pg.exec("postgres", "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'onemap'")
	s.finish()
	s.ledger.check(name)
}

// across is ordered, but a month begins in the middle of the readings.
func across(s *stage, d *device, month time.Time) []row {
	rows := ordered(s, d)
	for n := range rows {
		rows[n].at = month.Add(time.Duration(n-len(rows)/2) * time.Second)
	}
	return rows
}

// fullTable creates the partition of the month and makes it full. It returns the path of its file; the real file is kept
// beside it.
func (s *stage) fullTable(month time.Time) string {
	s.t.Helper()
	table := "observation_standard_" + month.Format("2006_01")
	s.pg.exec(database, "create table "+table+" (like observation_standard including all)")
	s.pg.exec(database, "alter table observation_standard attach partition "+table+
		" for values from ('"+month.Format(time.RFC3339)+"') to ('"+month.AddDate(0, 1, 0).Format(time.RFC3339)+"')")
	s.pg.exec(database, "checkpoint")
	conn := s.pg.connect(database)
	var path string
	if err := conn.QueryRow(s.t.Context(), "select pg_relation_filepath($1)", table).Scan(&path); err != nil {
		s.t.Fatal(err)
	}
	path = filepath.Join(s.pg.DataDir, path)
	if info, err := os.Stat(path); err != nil || info.Size() != 0 {
		s.t.Fatalf("the table has a file of its own and nothing in it? %v, %v", info, err)
	}
	if err := errors.Join(os.Rename(path, path+".kept"), os.Symlink("/dev/full", path)); err != nil {
		s.t.Fatal(err)
	}
	return path
}
