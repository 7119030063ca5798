// Package mosquittotest starts a real Mosquitto for tests, with its own configuration and port. Tests may kill it. If mosquitto is
// missing, the tests fail; they are never skipped.
package mosquittotest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is the time limit for Mosquitto to react. It is long, because the tests do not measure time.
const patience = 2 * time.Minute

// Durable is a configuration that loses as little as Mosquitto can: everything that waits for a client
// is kept, without a limit, and saved once a second when something changed.
const Durable = `
persistence true
autosave_interval 1
max_queued_messages 0
max_inflight_messages 1000
`

// Broker is a Mosquitto that runs, unless it was killed.
type Broker struct {
	t    testing.TB
	dir  string
	port int
	cmd  *exec.Cmd
}

// Start runs Mosquitto with the lines of a mosquitto.conf beside a listener on the loopback interface.
// The word DIR in them is a folder of the broker's own, and the one where it persists.
func Start(t testing.TB, conf string) *Broker {
	t.Helper()
	b := &Broker{t: t, dir: t.TempDir()}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	b.port = freePort(t)
	text := fmt.Sprintf("listener %d 127.0.0.1\nuser %s\nsys_interval 1\npersistence_location DIR/\n", b.port, me.Username) + conf
	if !strings.Contains(conf, "allow_anonymous") {
		text += "\nallow_anonymous true\n"
	}
	if err := os.WriteFile(b.Config(), []byte(strings.ReplaceAll(text, "DIR", b.dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	b.Restart()
	t.Cleanup(func() {
		if b.cmd != nil {
			b.Kill()
		}
	})
	return b
}

// freePort returns a free port for Mosquitto, which cannot choose a port itself and uses the same port again after a kill. So the
// port must not be in the range from 32768 on, from which the kernel assigns ports to other connections in the meantime.
func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 12000 + rand.N(20000)
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil { //nolint:noctx // at once
			_ = l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// Binary is the program.
func Binary(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"mosquitto", "/usr/sbin/mosquitto"} {
		if bin, err := exec.LookPath(name); err == nil {
			return bin
		}
	}
	t.Fatal("this test needs the Debian package mosquitto: scripts/deps.sh test")
	return ""
}

// Dir is the broker's folder.
func (b *Broker) Dir() string { return b.dir }

// Config is the file of its configuration.
func (b *Broker) Config() string { return filepath.Join(b.dir, "mosquitto.conf") }

// Addr is host:port.
func (b *Broker) Addr() string { return fmt.Sprintf("127.0.0.1:%d", b.port) }

// URL is the address as a client takes it.
func (b *Broker) URL() string { return "mqtt://" + b.Addr() }

// Kill ends it by SIGKILL: it saves nothing.
func (b *Broker) Kill() {
	b.t.Helper()
	_ = b.cmd.Process.Kill() // gone already: the test sees it elsewhere
	_ = b.cmd.Wait()         // says that it was killed
	b.cmd = nil
}

// Restart runs it again, with what it had saved.
func (b *Broker) Restart() {
	b.t.Helper()
	log, err := os.OpenFile(filepath.Join(b.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	b.cmd = exec.Command(Binary(b.t), "-c", b.Config()) //nolint:noctx // it is killed
	b.cmd.Stdout, b.cmd.Stderr = log, log
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := b.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.until("it listens", func() bool {
		c, err := net.DialTimeout("tcp", b.Addr(), time.Second) //nolint:noctx // bounded
		if err != nil {
			return false
		}
		_ = c.Close()
		return true
	})
}

// Save lets it write what it holds to its file, and waits until that is done.
func (b *Broker) Save() {
	b.t.Helper()
	file := filepath.Join(b.dir, "mosquitto.db")
	before, err := os.Stat(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		b.t.Fatal(err)
	}
	if err := b.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		b.t.Fatal(err)
	}
	b.until("it saves", func() bool { // to a new file, which takes the name of the old one
		now, err := os.Stat(file)
		return err == nil && (before == nil || !os.SameFile(before, now) || !now.ModTime().Equal(before.ModTime()))
	})
}

func (b *Broker) until(what string, f func() bool) {
	b.t.Helper()
	for end := time.Now().Add(patience); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			log, _ := os.ReadFile(filepath.Join(b.dir, "log"))
			b.t.Fatalf("mosquitto: never: %s\n%s", what, log)
		}
	}
}
