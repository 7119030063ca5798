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

// tick is the unit of CPU time in /proc: USER_HZ is 100 on every Linux that Go supports.
const tick = 10 * time.Millisecond

// Stat holds the used fields of /proc/PID/stat.
type Stat struct {
	RSS    int64 // resident memory, bytes
	parent int
	own    time.Duration // user and system time
	reaped time.Duration // time of children that have ended and that it has waited for
}

// parseStat parses /proc/PID/stat. Source: proc(5). The name of the program is in parentheses and may contain any character,
// so the fields are counted from the last parenthesis.
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

// StatOf returns the current state of a process.
func StatOf(pid int) (Stat, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return Stat{}, fmt.Errorf("read a process's state: %w", err)
	}
	return parseStat(text)
}

// TreeCPU returns the CPU time of a process and of its children, including those that have ended. A child that ends during
// the reading would be counted twice. So it reads again if the time of the ended children has changed.
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

// childrenCPU returns the CPU time of the living children. PostgreSQL has one level of children.
func childrenCPU(pid int) (total time.Duration) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // never fails: the pattern is valid
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

// OwnCPU returns the CPU time of this process, which generates the load.
func OwnCPU() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, fmt.Errorf("read the own processor time: %w", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

// MachineCPU returns the busy time of all CPUs. Source: /proc/stat.
func MachineCPU() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("read the machine's processor time: %w", err)
	}
	return parseMachine(text)
}

// parseMachine returns the sum of user, nice, system, irq and softirq of the first line of /proc/stat.
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

// Cores returns the number of CPUs that this program may use.
func Cores() int { return runtime.NumCPU() }
