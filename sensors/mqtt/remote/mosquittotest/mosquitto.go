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

// Durable is a configuration of Mosquitto that loses as little as possible. It keeps all messages that wait for a client,
// without a limit, and saves once a second if something changed.
const Durable = `
persistence true
autosave_interval 1
max_queued_messages 0
max_inflight_messages 1000
`

// Broker is a running Mosquitto, until Kill.
type Broker struct {
	t    testing.TB
	dir  string
	port int
	cmd  *exec.Cmd
}

// Start runs Mosquitto with the given lines of a mosquitto.conf and a listener on the loopback interface. The word DIR in the
// lines stands for a folder of this broker, which also holds its persistence file.
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

// Binary returns the path of the mosquitto program.
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

// Dir returns the folder of the broker.
func (b *Broker) Dir() string { return b.dir }

// Config returns the path of its configuration file.
func (b *Broker) Config() string { return filepath.Join(b.dir, "mosquitto.conf") }

// Addr returns host:port of the listener.
func (b *Broker) Addr() string { return fmt.Sprintf("127.0.0.1:%d", b.port) }

// URL returns the address of the listener as an MQTT URL.
func (b *Broker) URL() string { return "mqtt://" + b.Addr() }

// Kill ends Mosquitto by SIGKILL, so that it saves nothing.
func (b *Broker) Kill() {
	b.t.Helper()
	_ = b.cmd.Process.Kill() // an error means that it has ended already; the test notices that elsewhere
	_ = b.cmd.Wait()         // the error says that it was killed
	b.cmd = nil
}

// Restart starts Mosquitto again, with the state that it has saved.
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

// Save makes Mosquitto write its state to the file, and waits until that is done.
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
	b.until("it saves", func() bool { // it writes a new file and renames it to the old name
		now, err := os.Stat(file)
		return err == nil && (before == nil || !os.SameFile(before, now) || !now.ModTime().Equal(before.ModTime()))
	})
}

// until waits until f returns true. If this takes longer than patience, the test fails with Mosquitto's log.
func (b *Broker) until(what string, f func() bool) {
	b.t.Helper()
	for end := time.Now().Add(patience); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			log, _ := os.ReadFile(filepath.Join(b.dir, "log"))
			b.t.Fatalf("mosquitto: never: %s\n%s", what, log)
		}
	}
}
