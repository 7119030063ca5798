package checkup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"onemap/internal/core"
	"onemap/internal/errs"
)

func judged(t *testing.T, text string) map[string]core.Finding {
	t.Helper()
	s := settings{}
	if err := parse(strings.NewReader(text), s); err != nil {
		t.Fatal(err)
	}
	m := map[string]core.Finding{}
	for _, f := range s.judge() {
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
	} {
		if f := judged(t, c.text)[c.option]; f.State != c.state {
			t.Errorf("%q: %+v, want %s", c.text, f, c.state)
		}
	}
}

// Debian's mosquitto.conf includes a folder, whose files count in their order.
func TestConfigFolder(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	main := write("mosquitto.conf.main", "persistence false\ninclude_dir "+dir+"\n")
	write("10.conf", "persistence true\nmax_queued_messages 5\n")
	write("20.conf", "max_queued_messages 0\n")
	write("30.conf.off", "persistence false\n")
	found, err := ConfigFile(main)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if (f.Check == "config persistence" || f.Check == "config max_queued_messages") && f.State != core.FindingOK {
			t.Errorf("%+v", f)
		}
	}
	write("40.conf", "{\"json\": true}\n")
	if _, err := ConfigFile(main); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("%v", err)
	}
	if _, err := ConfigFile(filepath.Join(dir, "none")); !errs.Is(err, errs.Invalid) {
		t.Errorf("%v", err)
	}
}

// Whatever the bytes, each option is judged once, in a known state, or the file is refused.
func FuzzConfig(f *testing.F) {
	f.Add([]byte("listener 1883\npersistence true\nautosave_interval 1\n# note\nmax_queued_messages 0"))
	f.Add([]byte("persistent_client_expiration 9223372036854775807y\nmax_queued_bytes 18446744073709551616"))
	f.Add([]byte("persistence\x00true\r\n\xff\xfe"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := settings{}
		if err := parse(strings.NewReader(string(b)), s); err != nil {
			if !errs.Is(err, errs.Invalid) {
				t.Fatal(err)
			}
			return
		}
		seen := map[string]bool{}
		for _, f := range s.judge() {
			if seen[f.Check] || f.Found == "" || (f.State != core.FindingOK && (f.Advice == "" || (f.State != core.FindingWarn && f.State != core.FindingBad))) {
				t.Fatalf("%+v", f)
			}
			seen[f.Check] = true
		}
	})
}
