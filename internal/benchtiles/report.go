package main

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// report is what is printed at the end, in markdown.
type report struct {
	notes  []string
	rows   []row
	checks []check
}

type row struct {
	name    string
	clients int
	f       figures
}

// check is a bar, and whether it was reached.
type check struct {
	name, bar, got string
	ok             bool
}

func (r *report) note(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

func (r *report) row(name string, clients int, runs []figures) {
	r.rows = append(r.rows, row{name, clients, medians(runs)})
}

func (r *report) check(name, bar, got string, ok bool) {
	r.checks = append(r.checks, check{name, bar, got, ok})
}

// ratio checks the median of a run's ratios against a bar.
func (r *report) ratio(name string, all []float64, atLeast float64) {
	m := median(all)
	r.check(name, fmt.Sprintf("median ≥ %g", atLeast), fmt.Sprintf("%s; median %s", numbers(all), number(m)), m >= atLeast)
}

func (r *report) missed() bool {
	for _, c := range r.checks {
		if !c.ok {
			return true
		}
	}
	return false
}

func (r *report) print(w io.Writer) {
	var b strings.Builder
	for _, n := range r.notes {
		b.WriteString("- " + n + "\n")
	}
	if len(r.rows) > 0 {
		b.WriteString("\n| | clients | req/s | p50 ms | p95 ms | p99 ms | CPU ms a tile: server | PostgreSQL | the load | bytes a tile | tiles | others' cores |\n")
		b.WriteString("|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	}
	for _, row := range r.rows {
		f := row.f
		fmt.Fprintf(&b, "| %s | %d | %s | %s | %s | %s | %s | %s | %s | %.0f | %d | %.2f |\n", row.name, row.clients,
			number(f.rate), number(f.p50), number(f.p95), number(f.p99), number(f.server), number(f.postgres), number(f.client),
			f.bytes, f.tiles, f.others)
	}
	if len(r.checks) > 0 {
		b.WriteString("\n| what must hold | bar | measured | |\n|---|---|---|---|\n")
	}
	for _, c := range r.checks {
		verdict := "pass"
		if !c.ok {
			verdict = "**miss**"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", c.name, c.bar, c.got, verdict)
	}
	fmt.Fprint(w, b.String())
}

// number writes three digits that count.
func number(v float64) string {
	switch a := math.Abs(v); {
	case a == 0:
		return "0"
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	case a >= 1:
		return fmt.Sprintf("%.2f", v)
	default:
		return fmt.Sprintf("%.3g", v)
	}
}

func numbers(all []float64) string {
	words := make([]string, len(all))
	for i, v := range all {
		words[i] = number(v)
	}
	return strings.Join(words, ", ")
}
