package kit

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// Report is the result of a program, printed as markdown: notes, one table of figures, and the bars.
type Report struct {
	Head []string // column titles of the table

	notes  []string
	rows   [][]string
	checks []check
}

// check is a bar and whether it was reached.
type check struct {
	name, bar, got string
	ok             bool
}

// Note adds a line before the table.
func (r *Report) Note(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

// Row adds a row to the table, with the columns of Head.
func (r *Report) Row(cells ...string) { r.rows = append(r.rows, cells) }

// Check adds a bar.
func (r *Report) Check(name, bar, got string, ok bool) {
	r.checks = append(r.checks, check{name, bar, got, ok})
}

// Ratio adds a bar for the median of the runs' ratios.
func (r *Report) Ratio(name string, all []float64, atLeast float64) {
	m := Median(all)
	r.Check(name, fmt.Sprintf("median ≥ %g", atLeast), fmt.Sprintf("%s; median %s", Numbers(all), Number(m)), m >= atLeast)
}

// Missed reports whether a bar was missed.
func (r *Report) Missed() bool { return len(r.MissedBars()) > 0 }

// MissedBars returns the names of the missed bars.
func (r *Report) MissedBars() (names []string) {
	for _, c := range r.checks {
		if !c.ok {
			names = append(names, c.name)
		}
	}
	return names
}

// Conclude prints the report. It returns err or, if that is nil and a bar was missed, an error with the missed bars.
func (r *Report) Conclude(w io.Writer, err error) error {
	r.Print(w)
	if err == nil && r.Missed() {
		return errors.New("a bar was missed: " + strings.Join(r.MissedBars(), "; "))
	}
	return err
}

// Print prints the report as markdown.
func (r *Report) Print(w io.Writer) {
	var b strings.Builder
	for _, n := range r.notes {
		b.WriteString("- " + n + "\n")
	}
	if len(r.rows) > 0 {
		b.WriteString("\n")
		line(&b, r.Head)
		b.WriteString(strings.Repeat("|---", len(r.Head)) + "|\n")
	}
	for _, row := range r.rows {
		line(&b, row)
	}
	if len(r.checks) > 0 {
		b.WriteString("\n| what must hold | bar | measured | |\n|---|---|---|---|\n")
	}
	for _, c := range r.checks {
		verdict := "pass"
		if !c.ok {
			verdict = "**miss**"
		}
		line(&b, []string{c.name, c.bar, c.got, verdict})
	}
	fmt.Fprint(w, b.String())
}

func line(b *strings.Builder, cells []string) {
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

// Number returns a number with three significant digits.
func Number(v float64) string {
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

// Numbers returns numbers with three significant digits, separated by commas.
func Numbers(all []float64) string {
	words := make([]string, len(all))
	for i, v := range all {
		words[i] = Number(v)
	}
	return strings.Join(words, ", ")
}
