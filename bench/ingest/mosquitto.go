package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"

	"onemap/bench/kit"
)

// mosquittoConf is a configuration without limits: Mosquitto keeps all messages that wait for a client, and allows as many
// unacknowledged ones as both sides can use.
const mosquittoConf = `listener %d 127.0.0.1
user %s
allow_anonymous true
persistence false
max_queued_messages 0
max_inflight_messages 10000
log_dest stderr
log_type error
`

// startMosquitto starts Debian's Mosquitto with its configuration in dir.
func startMosquitto(ctx context.Context, dir string) (*kit.Child, error) {
	program, err := exec.LookPath("mosquitto")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/mosquitto"); err != nil {
			return nil, fmt.Errorf("this needs the Debian package mosquitto: %w", err)
		}
	}
	me, err := user.Current()
	if err != nil {
		return nil, fmt.Errorf("who runs this: %w", err)
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	addr := ln.Addr().(*net.TCPAddr)
	if err := ln.Close(); err != nil { // Mosquitto cannot choose a port itself
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	file := filepath.Join(dir, "mosquitto-"+strconv.Itoa(addr.Port)+".conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, mosquittoConf, addr.Port, me.Username), 0o644); err != nil {
		return nil, fmt.Errorf("configure mosquitto: %w", err)
	}
	return kit.StartListener(ctx, addr.String(), program, "-c", file)
}
