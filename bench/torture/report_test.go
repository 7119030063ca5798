package torture_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// report collects the lines of the loss table.
var report struct {
	mu    sync.Mutex
	lines []loss
}

func note(l loss) {
	report.mu.Lock()
	defer report.mu.Unlock()
	report.lines = append(report.lines, l)
}

// TestMain prints the loss table at the end.
func TestMain(m *testing.M) {
	code := m.Run()
	printTable(os.Stdout)
	if bin, err := program(); err == nil {
		_ = os.RemoveAll(filepath.Dir(bin))
	}
	os.Exit(code)
}

func printTable(w io.Writer) {
	if len(report.lines) == 0 {
		return
	}
	fmt.Fprintln(w, "\n| case | devices | acknowledged | stored | missing | twice | thresholds crossed | alerts | sent again | connections lost | duration |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|---|---|")
	for _, l := range report.lines {
		fmt.Fprintf(w, "| %s | %d | %d | %d | %d | %d | %d | %d | %d | %d | %s |\n", l.name, l.devices, l.acknowledged, l.stored,
			l.missing, l.twice, l.crossed, l.alerts, l.resent, l.lost, l.took.Round(100*time.Millisecond))
	}
}
