package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"onemap/internal/app/stores/storetest"
)

// command runs onemap with the arguments and returns its exit code and output.
func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	capture := func(f **os.File) func() string {
		old := *f
		tmp, err := os.CreateTemp(t.TempDir(), "out")
		if err != nil {
			t.Fatal(err)
		}
		*f = tmp
		return func() string {
			*f = old
			if _, err := tmp.Seek(0, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(tmp)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
	}
	out, errOut := capture(&os.Stdout), capture(&os.Stderr)
	code = run(t.Context(), args)
	return code, out(), errOut()
}

func file(t *testing.T, name, text string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

const points = `{"type":"FeatureCollection","features":[
{"type":"Feature","properties":{"code":"A1","name":"北岸避难所"},"geometry":{"type":"Point","coordinates":[121.38,37.5]}},
{"type":"Feature","properties":{"code":"A2","name":"swapped"},"geometry":{"type":"Point","coordinates":[37.5,121.38]}},
{"type":"Feature","properties":{"code":"A3","name":"南岸避难所"},"geometry":{"type":"Point","coordinates":[121.4,37.4]}}
]}`

// The first steps on an empty database: migrate, base data, accounts, an import that refuses one line with a reason,
// and the same import again.
func TestToolsOnARealDatabase(t *testing.T) {
	t.Setenv("ONEMAP_DATABASE", storetest.NewEmptyURL(t))
	t.Setenv("ONEMAP_BASE_DATA", filepath.Join("..", "..", "data", "base"))
	t.Setenv("ONEMAP_PASSWORD", "correct horse battery")
	end := func(want int, words string, args ...string) {
		t.Helper()
		code, out, errOut := command(t, args...)
		if code != want || !strings.Contains(out+errOut, words) {
			t.Fatalf("%v: exit %d, no %q in\n%s%s", args, code, words, out, errOut)
		}
	}
	must := func(words string, args ...string) {
		t.Helper()
		end(exitOK, words, args...)
	}
	must("up to date", "migrate")
	must("up to date", "migrate")
	must("loading the base data", "import", "--base")
	must("added lin: data_steward of 3706", "user", "add", "--role", "data_steward", "lin")
	must("lin", "user", "list")
	must("its sessions are ended", "user", "passwd", "lin")

	shelters := file(t, "shelters.geojson", points)
	args := []string{"import", "--layer", "my_shelters", "--theme", "resource", "--key", "code", shelters}
	end(exitRefused, "read 3, created 2, updated 0, deleted 0, refused 1", args...)
	code, _, errOut := command(t, args...)
	if code != exitRefused || !strings.Contains(errOut, "line 3, record 2, byte ") || !strings.Contains(errOut, ", key A2: ") || !strings.Contains(errOut, "swapped") || !strings.Contains(errOut, "1 rows were refused") {
		t.Errorf("exit %d, the refused line is not named:\n%s", code, errOut)
	}
	if !regexp.MustCompile(`importing my_shelters, \d+ of \d+ kB`).MatchString(errOut) {
		t.Errorf("the progress has no numbers:\n%s", errOut)
	}
	end(exitRefused, "created 0, updated 0, deleted 0", args...)
	whole := file(t, "whole.geojson", strings.Replace(points, "[37.5,121.38]", "[121.39,37.5]", 1))
	must("read 3, created 1", "import", "--layer", "my_shelters", "--theme", "resource", "--key", "code", whole)
}

// `onemap serve` migrates an empty database, becomes ready, and stops in order when its context ends.
func TestServeOnARealDatabase(t *testing.T) {
	t.Setenv("ONEMAP_DATABASE", storetest.NewEmptyURL(t))
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
	defer stop()
	stdout := os.Stdout
	defer func() { os.Stdout = stdout }()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	os.Stdout = in
	ready := make(chan bool, 1)
	go func() {
		defer stop()
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if m := regexp.MustCompile(`serves (http://\S+[0-9])`).FindStringSubmatch(lines.Text()); m != nil {
				ready <- becomesReady(ctx, m[1])
				return
			}
		}
		ready <- false
	}()
	code := run(ctx, []string{"serve", "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--log-level", "error"})
	_ = in.Close()
	if is := <-ready; code != exitOK || !is {
		t.Errorf("exit %d, ready %v", code, is)
	}
}

// becomesReady polls a server until it is ready or ctx ends.
func becomesReady(ctx context.Context, url string) bool {
	for ctx.Err() == nil {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
		if err != nil {
			return false
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return true
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	return false
}

func TestWrongCommandsAreNamed(t *testing.T) {
	t.Setenv("ONEMAP_DATABASE", "postgres://nobody@127.0.0.1:1/none")
	csv := file(t, "a.csv", "id,lon,lat\n1,121,37\n")
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no layer":           {[]string{"import", "--theme", "resource", csv}, exitUsage, "--layer"},
		"no file":            {[]string{"import", "--layer", "a", "--theme", "resource"}, exitUsage, "FILE"},
		"unknown theme":      {[]string{"import", "--layer", "a", "--theme", "magic", csv}, exitUsage, "--theme"},
		"unknown role":       {[]string{"import", "--layer", "a", "--theme", "resource", "--audience", "roles", "--role", "king", csv}, exitUsage, "--role"},
		"not a day":          {[]string{"import", "--layer", "a", "--theme", "resource", "--updated-on", "soon", csv}, exitUsage, "--updated-on"},
		"synthetic":          {[]string{"import", "--layer", "a", "--theme", "resource", "--origin", "synthetic", csv}, exitUsage, "--synthetic"},
		"base with a file":   {[]string{"import", "--base", csv}, exitUsage, "--base"},
		"no such file":       {[]string{"import", "--layer", "a", "--theme", "resource", "/no/such.csv"}, exitUsage, "/no/such.csv"},
		"unknown command":    {[]string{"fly"}, exitUsage, "fly"},
		"unknown flag":       {[]string{"serve", "--htpp", "x"}, exitUsage, "--htpp"},
		"password as a flag": {[]string{"migrate", "--database", "postgres://u:secret@h/d"}, exitUsage, "--database"},
		"database away":      {[]string{"migrate"}, exitFailed, "connect"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := command(t, c.args...)
			if code != c.code || !strings.Contains(errOut, c.want) || strings.Contains(out+errOut, "secret") {
				t.Errorf("exit %d, want %d and %q in\n%s%s", code, c.code, c.want, out, errOut)
			}
		})
	}
}

func TestBusyPortNamesItsFlag(t *testing.T) {
	taken := listen(t)
	dir := t.TempDir()
	for flag, other := range map[string]string{"--http": "--mqtt", "--mqtt": "--http"} {
		code, _, errOut := command(t, "demo", "--data", dir, flag, taken, other, "127.0.0.1:0")
		if code != exitUsage || !strings.Contains(errOut, flag) || !strings.Contains(errOut, "in use") {
			t.Errorf("exit %d, %s is not named: %s", code, flag, errOut)
		}
	}
}

func listen(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ln.Close(); err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String()
}
