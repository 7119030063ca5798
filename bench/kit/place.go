package kit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"onemap/demo/pgcluster"
)

// Place is a private folder with a PostgreSQL cluster.
type Place struct {
	Dir     string
	Cluster *pgcluster.Cluster
}

// NewPlace creates a folder whose name begins with name, and starts PostgreSQL in it with fsync on.
func NewPlace(ctx context.Context, name string) (*Place, error) {
	dir, err := os.MkdirTemp("", name+"-")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	p := &Place{Dir: dir}
	if err := p.start(ctx); err != nil {
		return nil, errors.Join(err, p.Close(ctx))
	}
	return p, nil
}

func (p *Place) start(ctx context.Context) error {
	if err := os.Chmod(p.Dir, 0o755); err != nil { // PostgreSQL may run as another user
		return fmt.Errorf("open the folder: %w", err)
	}
	Say("starting PostgreSQL")
	c, err := pgcluster.Start(ctx, pgcluster.Options{Dir: filepath.Join(p.Dir, "pg")})
	if err != nil {
		return err
	}
	p.Cluster = c
	return nil
}

// Close stops PostgreSQL and removes the folder. It works after ctx has ended too.
func (p *Place) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), StopWithin)
	defer cancel()
	var err error
	if p.Cluster != nil {
		err = errors.Join(p.Cluster.Stop(ctx), pgcluster.Remove(ctx, filepath.Join(p.Dir, "pg")))
	}
	return errors.Join(err, os.RemoveAll(p.Dir))
}

// Say prints a line about the progress to stderr.
func Say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s "+format+"\n", append([]any{time.Now().Format(time.TimeOnly)}, args...)...)
}

// Machine returns the CPU model, the number of CPUs and the load average.
func Machine() string {
	model := "unknown processor"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	load := "unknown"
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		load, _, _ = strings.Cut(string(text), " ")
	}
	return fmt.Sprintf("%d cores (%s), load average %s before the start, %s", Cores(), model, load, time.Now().UTC().Format(time.DateOnly))
}
