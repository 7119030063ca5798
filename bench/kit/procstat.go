package kit

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// tick is the unit of processor time in /proc: USER_HZ is 100 on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// Stat is what is needed of /proc/PID/stat.
type Stat struct {
	RSS    int64 // resident memory, bytes
	parent int
	own    time.Duration // user and system
	reaped time.Duration // of children that have ended and been waited for
}

// parseStat reads the text of /proc/PID/stat (proc(5)). The program's name, in parentheses, may hold
// anything.
func parseStat(text []byte) (Stat, error) {
	_, rest, ok := cutLast(text, ')')
	fields := bytes.Fields(rest)
	if !ok || len(fields) < 22 {
		return Stat{}, fmt.Errorf("no process's state: %.60q", text)
	}
	var n [22]int64
	for _, i := range []int{1, 11, 12, 13, 14, 21} { // ppid, utime, stime, cutime, cstime, rss
		v, err := strconv.ParseInt(string(fields[i]), 10, 64)
		if err != nil {
			return Stat{}, fmt.Errorf("no process's state: %w", err)
		}
		n[i] = v
	}
	return Stat{
		parent: int(n[1]), own: time.Duration(n[11]+n[12]) * tick, reaped: time.Duration(n[13]+n[14]) * tick,
		RSS: n[21] * int64(os.Getpagesize()),
	}, nil
}

func cutLast(b []byte, sep byte) (before, after []byte, found bool) {
	i := bytes.LastIndexByte(b, sep)
	if i < 0 {
		return b, nil, false
	}
	return b[:i], b[i+1:], true
}

// StatOf is how the process is now.
func StatOf(pid int) (Stat, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return Stat{}, fmt.Errorf("read a process's state: %w", err)
	}
	return parseStat(text)
}

// TreeCPU is the processor time of a process and of all its children, also those that have ended. A
// child that ends while they are read would count twice; then they are read again.
func TreeCPU(pid int) (time.Duration, error) {
	for range 20 {
		before, err := StatOf(pid)
		if err != nil {
			return 0, err
		}
		children := childrenCPU(pid)
		after, err := StatOf(pid)
		if err != nil {
			return 0, err
		}
		if before.reaped == after.reaped {
			return after.own + after.reaped + children, nil
		}
	}
	return 0, fmt.Errorf("the children of process %d end all the time", pid)
}

func childrenCPU(pid int) (total time.Duration) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well-formed
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		if s, err := parseStat(text); err == nil && s.parent == pid {
			total += s.own + s.reaped
		}
	}
	return total
}

// OwnCPU is the processor time of this process: of the load.
func OwnCPU() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, fmt.Errorf("read the own processor time: %w", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

// MachineCPU is the time that all processors together have worked, as /proc/stat says.
func MachineCPU() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("read the machine's processor time: %w", err)
	}
	return parseMachine(text)
}

// parseMachine adds user, nice, system, irq and softirq of the first line of /proc/stat.
func parseMachine(text []byte) (time.Duration, error) {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) < 8 || string(fields[0]) != "cpu" {
		return 0, fmt.Errorf("no machine's state: %.60q", line)
	}
	var total int64
	for _, i := range []int{1, 2, 3, 6, 7} {
		n, err := strconv.ParseInt(string(fields[i]), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("no machine's state: %w", err)
		}
		total += n
	}
	return time.Duration(total) * tick, nil
}

// Cores is how many processors this program may use.
func Cores() int { return runtime.NumCPU() }
