package demo_test

import (
	"os"
	"path/filepath"
	"testing"

	"onemap/demo"
	"onemap/internal/fault"
)

func TestResetDeletesOnlyADemo(t *testing.T) {
	files := []string{"demo.json", "onemap.log", "pg/data/PG_VERSION", "letters.txt"}
	for _, c := range []struct {
		name string
		lock bool // a demo has run in the folder
		left []string
	}{
		{"a folder of something else", false, files},
		{"the folder of a demo", true, []string{"letters.txt"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, name := range files {
				write(t, filepath.Join(dir, name))
			}
			if c.lock {
				write(t, filepath.Join(dir, ".lock"))
			}
			if err := demo.Reset(dir); (err == nil) != c.lock || (err != nil && !fault.Is(err, fault.Invalid)) {
				t.Fatal(err)
			}
			var left []string
			for _, name := range files {
				if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
					left = append(left, name)
				}
			}
			if len(left) != len(c.left) || left[len(left)-1] != "letters.txt" {
				t.Errorf("left: %v", left)
			}
		})
	}
}

func TestResetOfNothing(t *testing.T) {
	dir := t.TempDir()
	for _, folder := range []string{dir, filepath.Join(dir, "missing")} {
		if err := demo.Reset(folder); err != nil {
			t.Errorf("%s: %v", folder, err)
		}
	}
}

func write(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("15"), 0o600); err != nil {
		t.Fatal(err)
	}
}
