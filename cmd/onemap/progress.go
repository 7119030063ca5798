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

// progress shows longer work: one line that is rewritten on a terminal, plain lines elsewhere (one
// when a stage begins, at most one every five seconds, one when it ends).
type progress struct {
	w     io.Writer
	tty   bool
	clock func() time.Time

	mu      sync.Mutex
	stage   string
	started time.Time
	printed time.Time
}

func newProgress(f *os.File) *progress {
	return &progress{w: f, tty: term.IsTerminal(int(f.Fd())), clock: time.Now}
}

const (
	redrawEvery = 100 * time.Millisecond
	plainEvery  = 5 * time.Second
	barWidth    = 24
)

// Show says how far a stage is, as "importing school, kB": behind a comma is what is counted. total 0 means that nobody
// knows. Another stage ends the one before.
func (p *progress) Show(stage string, done, total int64) { p.ShowNote(stage, done, total, "") }

// ShowNote is Show with words behind the bar.
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

// Done ends the running stage.
func (p *progress) Done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.finish(p.clock())
	p.stage = ""
}

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
