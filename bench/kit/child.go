package kit

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Child is a child process that has printed the addresses on which it serves.
type Child struct {
	PID     int
	Addr    string   // host:port, the first address
	Addrs   []string // all addresses of the line
	Started time.Time

	cmd     *exec.Cmd
	stderr  tail // the end of its stderr
	done    chan struct{}
	waitErr error // valid after done
}

// The time limits for a child to start and to stop.
const (
	StartWithin = 3 * time.Minute
	StopWithin  = 30 * time.Second
)

// StartChild starts a program and waits until it prints a line with its addresses.
func StartChild(ctx context.Context, env []string, program string, args ...string) (*Child, error) {
	in, out := io.Pipe()
	c, err := launch(out, env, program, args...)
	if err != nil {
		return nil, err
	}
	addresses := make(chan []string, 1)
	go readAddresses(in, addresses)
	select {
	case c.Addrs = <-addresses:
		c.Addr = c.Addrs[0]
		return c, nil
	case <-c.done:
		return nil, fmt.Errorf("%s ended at once: %w: %s", program, c.waitErr, c.Stderr())
	case <-time.After(StartWithin):
		return nil, errors.Join(fmt.Errorf("%s did not say where it serves: %s", program, c.Stderr()), c.Stop())
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), c.Stop())
	}
}

// StartListener starts a program that prints nothing, and waits until it accepts connections at addr.
func StartListener(ctx context.Context, addr, program string, args ...string) (*Child, error) {
	c, err := launch(nil, nil, program, args...)
	if err != nil {
		return nil, err
	}
	c.Addr, c.Addrs = addr, []string{addr}
	limit := time.After(StartWithin)
	for {
		if conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr); err == nil {
			return c, conn.Close()
		}
		select {
		case <-c.done:
			return nil, fmt.Errorf("%s ended at once: %w: %s", program, c.waitErr, c.Stderr())
		case <-limit:
			return nil, errors.Join(fmt.Errorf("%s does not serve %s: %s", program, addr, c.Stderr()), c.Stop())
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), c.Stop())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// launch starts a program. The child has its own process group, so Ctrl-C reaches only this program. It receives SIGTERM when
// this program ends. out, unless nil, is closed when the child has ended.
func launch(out *io.PipeWriter, env []string, program string, args ...string) (*Child, error) {
	c := &Child{done: make(chan struct{})}
	c.cmd = exec.Command(program, args...) //nolint:noctx // Stop ends it by SIGTERM
	c.cmd.Env = append(withoutOptions(os.Environ()), env...)
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	c.cmd.Stderr, c.cmd.WaitDelay = &c.stderr, 5*time.Second
	if out != nil {
		c.cmd.Stdout = out
	}
	launched := make(chan error, 1)
	go func() {
		// The kernel sends the parent-death signal when the thread that forked ends, so this thread must stay.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(c.done)
		c.Started = time.Now()
		err := c.cmd.Start()
		launched <- err
		if err == nil {
			c.waitErr = c.cmd.Wait()
		}
		if out != nil {
			_ = out.Close() // always returns nil
		}
	}()
	if err := <-launched; err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	c.PID = c.cmd.Process.Pid
	return c, nil
}

// withoutOptions removes the environment variables that would be options of the program.
func withoutOptions(environ []string) []string {
	var out []string
	for _, e := range environ {
		if !strings.HasPrefix(e, "ONEMAP_") {
			out = append(out, e)
		}
	}
	return out
}

// readAddresses sends the addresses of the first line that contains any, and discards the rest of the output.
func readAddresses(in io.Reader, found chan<- []string) {
	address := regexp.MustCompile(`127\.0\.0\.1:[0-9]+`)
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if a := address.FindAllString(lines.Text(), -1); a != nil {
			found <- a
			break
		}
	}
	_, _ = io.Copy(io.Discard, in) // until the program ends
}

// Stop ends the program and waits for its end.
func (c *Child) Stop() error {
	_ = c.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case <-c.done:
	case <-time.After(StopWithin):
		_ = c.cmd.Process.Kill()
		<-c.done
		return fmt.Errorf("%s had to be killed: %s", c.cmd.Path, c.stderr.String())
	}
	var ended *exec.ExitError
	if errors.As(c.waitErr, &ended) && ended.ExitCode() > 0 {
		return fmt.Errorf("%s: %w: %s", c.cmd.Path, c.waitErr, c.stderr.String())
	}
	return nil
}

// Running returns a Child for a program that this process has not started. Stop must not be called on it.
func Running(addr string) *Child {
	return &Child{Addr: addr, Addrs: []string{addr}, done: make(chan struct{})}
}

// Done returns a channel that is closed when the program has ended.
func (c *Child) Done() <-chan struct{} { return c.done }

// Stderr returns the end of the program's stderr.
func (c *Child) Stderr() string { return c.stderr.String() }

// tail is a writer that keeps the last tailBytes bytes.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailBytes = 2000

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if more := len(t.b) - tailBytes; more > 0 {
		t.b = append(t.b[:0], t.b[more:]...)
	}
	return len(p), nil
}

// String returns the last bytes.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}
