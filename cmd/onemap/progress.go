package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// progress shows the progress of longer work. On a terminal it rewrites one line. Elsewhere, such as in a log of CI, it
// prints whole lines: one when a stage begins, then at most one every five seconds, and one when it ends. It is safe for
// concurrent use.
type progress struct {
	w     io.Writer
	tty   bool
	clock func() time.Time

	mu      sync.Mutex // guards the fields below
	stage   string     // the running stage; empty: none
	started time.Time  // when the stage began
	printed time.Time  // when the stage was last printed
}

// newProgress returns a progress that prints to a file and detects whether it is a terminal.
func newProgress(f *os.File) *progress {
	return &progress{w: f, tty: term.IsTerminal(int(f.Fd())), clock: time.Now}
}

const (
	redrawEvery = 100 * time.Millisecond // shortest time between two prints on a terminal
	plainEvery  = 5 * time.Second        // the same elsewhere
	barWidth    = 24                     // characters
)

// Show shows how much of a stage is done. The stage is its name, and optionally a comma and the unit of the numbers,
// such as "importing school, kB". A total of 0 means that the total is not known. A new stage ends the one before it.
func (p *progress) Show(stage string, done, total int64) { p.ShowNote(stage, done, total, "") }

// ShowNote is Show with a note after the numbers.
func (p *progress) ShowNote(stage string, done, total int64, note string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock()
	if stage != p.stage {
		p.finish(now)
		p.stage, p.started, p.printed = stage, now, now
		if p.tty {
			fmt.Fprintf(p.w, "\r\x1b[K%s", p.line(done, total, note))
		} else {
			fmt.Fprintln(p.w, p.line(done, total, note))
		}
		return
	}
	every := plainEvery
	if p.tty {
		every = redrawEvery
	}
	if now.Sub(p.printed) < every {
		return
	}
	p.printed = now
	if p.tty {
		fmt.Fprintf(p.w, "\r\x1b[K%s", p.line(done, total, note))
	} else {
		fmt.Fprintln(p.w, p.line(done, total, note))
	}
}

// Done ends the running stage, if there is one.
func (p *progress) Done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.finish(p.clock())
	p.stage = ""
}

// finish prints the duration of the running stage. Off a terminal it prints nothing for a stage shorter than one
// second. The caller holds mu.
func (p *progress) finish(now time.Time) {
	if p.stage == "" {
		return
	}
	name, _, _ := strings.Cut(p.stage, ", ")
	took := now.Sub(p.started).Round(100 * time.Millisecond)
	if p.tty {
		fmt.Fprintf(p.w, "\r\x1b[K%s: done in %s\n", name, took)
	} else if took >= time.Second {
		fmt.Fprintf(p.w, "%s: done in %s\n", name, took)
	}
}

// line returns the text of the running stage, with a bar on a terminal if the total is known.
func (p *progress) line(done, total int64, note string) string {
	if note != "" {
		note = "  " + note
	}
	name, unit, _ := strings.Cut(p.stage, ", ")
	if unit != "" {
		unit = " " + unit
	}
	switch {
	case total > 0 && p.tty:
		full := int(min(done, total) * barWidth / total)
		return fmt.Sprintf("%s [%s%s] %d of %d%s", name, strings.Repeat("=", full), strings.Repeat(" ", barWidth-full), done, total, unit) + note
	case total > 0:
		return fmt.Sprintf("%s, %d of %d%s", name, done, total, unit) + note
	case done > 0:
		return fmt.Sprintf("%s, %d%s", name, done, unit) + note
	default:
		return name + " …"
	}
}
