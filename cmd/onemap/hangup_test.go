package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"onemap/internal/app/stores/storetest"
)

// hangup sends SIGHUP to this process, in which the server runs.
func hangup(t *testing.T) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Error(err)
	}
}

// logged waits until a file contains the words.
func logged(ctx context.Context, t *testing.T, path, words string) {
	t.Helper()
	for {
		text, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(text), words) {
			return
		}
		select {
		case <-ctx.Done():
			t.Errorf("%s never had %q: %v\n%s", path, words, err, text)
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// One or several SIGHUP end neither a server nor a demo. A log that was moved away continues in a new file, or in the
// old file if a new one cannot be created.
func TestAHangupOpensTheLogAnewAndEndsNothing(t *testing.T) {
	t.Setenv("ONEMAP_BASE_DATA", filepath.Join("..", "..", "data", "base"))
	for name, args := range map[string]func(dir string) []string{
		"serve": func(dir string) []string { return []string{"serve", "--log", filepath.Join(dir, "onemap.log")} },
		"demo":  func(dir string) []string { return []string{"demo", "--no-simulate", "--data", dir} },
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "onemap-hangup-")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if name == "demo" {
					if code := run(context.WithoutCancel(t.Context()), []string{"demo", "--reset", "--data", dir}); code != exitOK {
						t.Errorf("reset: exit %d", code)
					}
				}
				_ = os.RemoveAll(dir)
			})
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if name == "serve" {
				t.Setenv("ONEMAP_DATABASE", storetest.NewEmptyURL(t))
			}
			code := whileServing(t, append(args(dir), "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0"), func(ctx context.Context, url string) {
				rotate(ctx, t, filepath.Join(dir, "onemap.log"))
				if !becomesReady(ctx, url) {
					t.Error("it does not serve any more")
				}
			})
			if code != exitOK {
				t.Errorf("exit %d", code)
			}
		})
	}
}

// rotate moves the log away, twice in quick succession, then creates a folder with its name.
func rotate(ctx context.Context, t *testing.T, path string) {
	const said = "SIGHUP: reloading"
	if err := os.Rename(path, path+".1"); err != nil {
		t.Error(err)
	}
	hangup(t)
	hangup(t)
	hangup(t)
	logged(ctx, t, path, said)
	if err := os.Rename(path, path+".2"); err != nil {
		t.Error(err)
	}
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Error(err)
	}
	hangup(t)
	logged(ctx, t, path+".2", "SIGHUP: the log stays in the old file")
	if err := os.Remove(path); err != nil {
		t.Error(err)
	}
	hangup(t)
	logged(ctx, t, path, said)
}

// whileServing runs serve or demo, calls f with its address when it is ready, stops it and returns its exit code.
func whileServing(t *testing.T, args []string, f func(ctx context.Context, url string)) int {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
	defer stop()
	stdout := os.Stdout
	defer func() { os.Stdout = stdout }()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	os.Stdout = in
	done := make(chan bool)
	go func() {
		defer close(done)
		defer stop()
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if m := regexp.MustCompile(`(?:serves|map) +(http://\S+[0-9])`).FindStringSubmatch(lines.Text()); m != nil {
				if !becomesReady(ctx, m[1]) {
					t.Error("it does not get ready")
				}
				f(ctx, m[1])
				break
			}
		}
		stop()
		_, _ = io.Copy(io.Discard, out)
	}()
	code := run(ctx, args)
	_ = in.Close()
	<-done
	return code
}

func TestALogThatCannotBeIsNamed(t *testing.T) {
	code, _, errOut := command(t, "migrate", "--log", filepath.Join(t.TempDir(), "no", "such.log"))
	if code != exitUsage || !strings.Contains(errOut, "--log") || !strings.Contains(errOut, "such.log") {
		t.Errorf("exit %d: %s", code, errOut)
	}
}
