package kit

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

const stat = `42 (a ) (b) S 7 42 42 0 -1 4194304 100 0 0 0 11 22 33 44 20 0 5 0 123 456789 300 18446744073709551615 0 0`

func TestAProcessWithParenthesesInItsName(t *testing.T) {
	got, err := parseStat([]byte(stat))
	want := Stat{parent: 7, own: 330 * time.Millisecond, reaped: 770 * time.Millisecond, RSS: 300 * int64(os.Getpagesize())}
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	for _, text := range []string{"", "42 (x", "42 (x) S 1 2 3", strings.Replace(stat, " 33 ", " x ", 1)} {
		if _, err := parseStat([]byte(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestTheMachinesTime(t *testing.T) {
	got, err := parseMachine([]byte("cpu  100 20 3 9999 888 4 5 7 0 0\ncpu0 1 1 1 1 1 1 1 1\n"))
	if err != nil || got != 1320*time.Millisecond {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := parseMachine([]byte("intr 1 2 3 4 5 6 7 8")); err == nil {
		t.Error("taken")
	}
	if now, err := MachineCPU(); err != nil || now == 0 {
		t.Errorf("this machine: %v, %v", now, err)
	}
}

// A child's CPU time counts while it runs and after it has ended.
func TestTheTimeOfChildrenIsCounted(t *testing.T) {
	before, err := TreeCPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	// it works for a while, prints a line, and runs until its input ends
	cmd := exec.Command("/bin/sh", "-c", "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo; read x")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	own, err := StatOf(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	living, err := TreeCPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	_ = in.Close()
	_ = cmd.Wait() // read fails at the end of its input
	ended, err := TreeCPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if own.own < tick || living-before < own.own || ended < living {
		t.Errorf("the child took %v; its parent's tree %v before, %v while it lived, %v after", own.own, before, living, ended)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte(stat))
	f.Fuzz(func(_ *testing.T, text []byte) {
		_, _ = parseStat(text)
		_, _ = parseMachine(text)
	})
}
