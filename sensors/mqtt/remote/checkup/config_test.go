package checkup

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors/mqtt/remote/mosquittotest"
)

func judged(t *testing.T, text string) map[string]core.Finding {
	t.Helper()
	s := settings{}
	if err := parse(strings.NewReader(text), s, s.readFolder); err != nil {
		t.Fatal(err)
	}
	m := map[string]core.Finding{}
	for _, f := range s.check() {
		m[strings.TrimPrefix(f.Check, "config ")] = f
	}
	return m
}

func TestConfig(t *testing.T) {
	const on = "persistence true\n"
	for _, c := range []struct{ text, option, state string }{
		{"", "persistence", core.FindingBad},
		{"# persistence true", "persistence", core.FindingBad},
		{"persistence\t true  \r\n", "persistence", core.FindingOK},
		{on + "persistence false", "persistence", core.FindingBad},
		{on, "persistence_location", core.FindingWarn},
		{on + "persistence_location /var/lib/mosquitto", "persistence_location", core.FindingWarn},
		{on + "persistence_location /var/lib/my broker/", "persistence_location", core.FindingOK},
		{on, "autosave_interval", core.FindingBad}, // 1,800 s by default
		{on + "autosave_interval 0", "autosave_interval", core.FindingBad},
		{on + "autosave_interval 60", "autosave_interval", core.FindingWarn},
		{on + "autosave_interval 1", "autosave_interval", core.FindingOK},
		{on + "autosave_interval often", "autosave_interval", core.FindingBad},
		{on + "autosave_on_changes true\nautosave_interval 1000", "autosave_interval", core.FindingOK},
		{on + "autosave_on_changes true", "autosave_interval", core.FindingWarn},
		{"", "max_queued_messages", core.FindingBad},
		{"max_queued_messages 0", "max_queued_messages", core.FindingOK},
		{"max_queued_messages 1000000", "max_queued_messages", core.FindingWarn},
		{"max_queued_messages -1", "max_queued_messages", core.FindingBad},
		{"", "max_queued_bytes", core.FindingOK},
		{"max_queued_bytes 1000000", "max_queued_bytes", core.FindingBad},
		{"memory_limit 1000000", "memory_limit", core.FindingWarn},
		{"", "max_inflight_messages", core.FindingWarn},
		{"max_inflight_messages 0", "max_inflight_messages", core.FindingOK},
		{"message_size_limit 1024", "message_size_limit", core.FindingBad},
		{"message_size_limit 65536", "message_size_limit", core.FindingOK},
		{"", "max_packet_size", core.FindingOK},
		{"max_packet_size 65536", "max_packet_size", core.FindingBad}, // a payload of as much does not fit
		{"max_packet_size 1048576", "max_packet_size", core.FindingOK},
		{"", "persistent_client_expiration", core.FindingOK},
		{"persistent_client_expiration 12h", "persistent_client_expiration", core.FindingWarn},
		{"persistent_client_expiration 2w", "persistent_client_expiration", core.FindingOK},
		{"persistent_client_expiration 99999999999y", "persistent_client_expiration", core.FindingBad},
		{"persistent_client_expiration 12", "persistent_client_expiration", core.FindingBad},
		{"allow_anonymous true", "allow_anonymous", core.FindingWarn},
		{"", "allow_anonymous", core.FindingOK},
		{"", "acl_file", core.FindingWarn},
		{"plugin /usr/lib/mosquitto_dynamic_security.so", "acl_file", core.FindingOK},
		{"acl_file /nowhere/acl", "acl_file", core.FindingBad},
		{"plugin /usr/lib/mosquitto_dynamic_security.so\nacl_file /nowhere/acl", "acl_file", core.FindingBad},
		{"acl_file acl", "acl_file", core.FindingWarn},
		{"acl_file /dev/null", "acl_file", core.FindingOK},
		{"acl_file /dev/null/acl", "acl_file", core.FindingWarn}, // cannot be looked at
		{"", "password_file", core.FindingOK},
		{"password_file /nowhere/passwords", "password_file", core.FindingBad},
		{"password_file /dev/null", "password_file", core.FindingOK},
	} {
		if f := judged(t, c.text)[c.option]; f.State != c.state {
			t.Errorf("%q: %+v, want %s", c.text, f, c.state)
		}
	}
}

// folder writes files into a temporary folder. The word DIR in them stands for the folder.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(strings.ReplaceAll(text, "DIR", dir)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A mosquitto.conf includes folders at their positions, and their files in Mosquitto's order.
func TestConfigFolders(t *testing.T) {
	dir := folder(t, map[string]string{
		"mosquitto.conf": "persistence false\nmax_queued_bytes 7\ninclude_dir DIR/one\ninclude_dir DIR/two\nmax_queued_bytes 0\n",
		"one/a.conf":     "max_inflight_messages 1\n",
		"one/B.conf":     "persistence true\nmax_queued_messages 5\nmax_inflight_messages 2\n",
		"one/b.conf":     "max_queued_messages 6\nmax_inflight_messages 1000\n",
		"one/bb.off":     "max_inflight_messages 3\n",
		"two/x.conf":     "max_queued_messages 0\nmax_queued_bytes 5\ninclude_dir DIR/none\n",
	})
	found, err := ConfigFile(filepath.Join(dir, "mosquitto.conf"))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, f := range found {
		switch f.Check {
		case "config persistence", "config max_queued_messages", "config max_queued_bytes", "config max_inflight_messages":
			if seen++; f.State != core.FindingOK {
				t.Errorf("%+v", f)
			}
		}
	}
	if seen != 4 {
		t.Errorf("%d of 4 judged", seen)
	}
}

// The real Mosquitto shows the order in which it reads the files.
func TestTheOrderOfAFolderIsMosquittos(t *testing.T) {
	names := []string{"b.conf", "A.conf", "01.conf", "a.conf", "B.conf", "00.conf", "aB.conf", "Ab.conf", "ab.conf", "a-b.conf", "_.conf", "9.conf", "10.conf", "abc.conf", "aBB.conf"}
	files := map[string]string{}
	for _, name := range names {
		files[name] = "# nothing\n"
	}
	b := mosquittotest.Start(t, "log_type all\ninclude_dir "+folder(t, files)+"\n")
	log, err := os.ReadFile(filepath.Join(b.Dir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	var loaded []string
	for line := range strings.Lines(string(log)) {
		if _, file, ok := strings.Cut(line, "Loading config file "); ok {
			loaded = append(loaded, filepath.Base(strings.TrimSpace(file)))
		}
	}
	slices.SortFunc(names, byLetter)
	if d := cmp.Diff(loaded, names); d != "" {
		t.Errorf("-Mosquitto +ours:\n%s", d)
	}
}

func TestMosquittoEndsWithoutAFileThatIsNamed(t *testing.T) {
	for _, option := range []string{"acl_file", "password_file"} {
		dir := folder(t, map[string]string{"mosquitto.conf": "listener 0 DIR/socket\n" + option + " DIR/none\n"})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		out, err := exec.CommandContext(ctx, mosquittotest.Binary(t), "-c", filepath.Join(dir, "mosquitto.conf")).CombinedOutput()
		if ctx.Err() != nil || err == nil || !strings.Contains(string(out), "Unable to open") {
			t.Errorf("%s: %v\n%s", option, err, out)
		}
	}
}

func TestConfigThatCannotBeRead(t *testing.T) {
	dir := folder(t, map[string]string{
		"json.conf": "include_dir DIR/json\n", "json/a.conf": "{\"json\": true}\n",
		"nowhere.conf": "include_dir DIR/nowhere\n",
	})
	for name, says := range map[string]string{"json.conf": "line 1", "nowhere.conf": "include_dir", "none": "none"} {
		if _, err := ConfigFile(filepath.Join(dir, name)); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// For all bytes, each option is checked once, with a known state, or the file is refused.
func FuzzConfig(f *testing.F) {
	f.Add([]byte("listener 1883\npersistence true\nautosave_interval 1\n# note\nmax_queued_messages 0"))
	f.Add([]byte("persistent_client_expiration 9223372036854775807y\nmax_queued_bytes 18446744073709551616"))
	f.Add([]byte("persistence\x00true\r\n\xff\xfe"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := settings{}
		if err := parse(strings.NewReader(string(b)), s, func(string) error { return nil }); err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatal(err)
			}
			return
		}
		seen := map[string]bool{}
		for _, f := range s.check() {
			if seen[f.Check] || f.Found == "" || (f.State != core.FindingOK && (f.Advice == "" || (f.State != core.FindingWarn && f.State != core.FindingBad))) {
				t.Fatalf("%+v", f)
			}
			seen[f.Check] = true
		}
	})
}
