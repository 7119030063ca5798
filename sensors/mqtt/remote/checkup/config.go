package checkup

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"onemap/internal/core"
	"onemap/internal/fault"
)

// settings holds the options of a mosquitto.conf. If an option occurs more than once, the last value applies.
type settings map[string]string

// maxConfig is the largest configuration file that is read, in bytes.
const maxConfig = 1 << 20

// parse reads the lines of a mosquitto.conf: an option, blanks, its value. A line that begins with # is a comment. For an
// include_dir line, parse calls include with the folder at that position, because the lines below override the included files.
func parse(r io.Reader, into settings, include func(dir string) error) error {
	lines := bufio.NewScanner(io.LimitReader(r, maxConfig))
	lines.Buffer(make([]byte, 0, 4096), maxConfig)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		option, value, _ := strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
		if strings.ContainsFunc(option, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' }) {
			return fault.InvalidField("broker-config", "line %d: %q is no option of Mosquitto", n, option[:min(len(option), 40)])
		}
		value = strings.TrimSpace(value)
		if option != "include_dir" {
			into[option] = value
		} else if err := include(value); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fault.Wrap(fault.Invalid, err, "--broker-config cannot be read")
	}
	return nil
}

// ConfigFile checks a mosquitto.conf and the files in the folders that it includes. It returns an error of kind fault.Invalid
// if a file cannot be read.
func ConfigFile(path string) ([]core.Finding, error) {
	s := settings{}
	if err := s.read(path, s.readFolder); err != nil {
		return nil, err
	}
	return s.check(), nil
}

// read parses one file into s. It returns an error of kind fault.Invalid if the file cannot be opened or a line is not
// an option.
func (s settings) read(path string, include func(dir string) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "--broker-config cannot be read")
	}
	defer func() { _ = f.Close() }()
	return parse(f, s, include)
}

// readFolder reads the files of a folder whose names end in .conf, in Mosquitto's order. Like Mosquitto, it ignores an
// include_dir in these files.
func (s settings) readFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "--broker-config: include_dir cannot be read")
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".conf") {
			names = append(names, e.Name())
		}
	}
	slices.SortFunc(names, byLetter)
	for _, name := range names {
		// An include_dir in an included file is ignored.
		if err := s.read(filepath.Join(dir, name), func(string) error { return nil }); err != nil {
			return err
		}
	}
	return nil
}

// byLetter compares file names in Mosquitto's order: by letters without regard to case; for the same letter, upper case first.
func byLetter(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return cmp.Or(cmp.Compare(upper(a[i]), upper(b[i])), cmp.Compare(a[i], b[i]))
		}
	}
	return cmp.Compare(len(a), len(b))
}

// upper returns the upper case of an ASCII letter, and every other byte unchanged.
func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}

// number returns the value of an option, or def if the option is not set. It returns false if the value is not a number or is
// negative.
func (s settings) number(option string, def int) (int, bool) {
	v, ok := s[option]
	if !ok {
		return def, true
	}
	n, err := strconv.Atoi(v)
	return n, err == nil && n >= 0
}

// isTrue reports whether an option is set to "true".
func (s settings) isTrue(option string) bool { return s[option] == "true" }

// check checks the options that can cause a loss of messages. The defaults are those of Mosquitto 2.0.
func (s settings) check() []core.Finding {
	return []core.Finding{
		// The numbers of limit are Mosquitto's default, and the value from which a limit is only a warning. The number
		// of size is the least that this server needs, in bytes.
		s.persistence(), s.location(), s.autosave(),
		s.limit("max_queued_messages", 1000, 100_000, "of what waits for a client, more is dropped without a word, and was acknowledged", "max_queued_messages 0"),
		s.limit("max_queued_bytes", 0, 1<<30, "bytes: what waits for a client beyond is dropped, and was acknowledged", "max_queued_bytes 0"),
		s.limit("memory_limit", 0, 1<<62, "bytes: beyond, messages are refused or dropped", "memory_limit 0, and watch the machine's memory"),
		s.window(), s.size("message_size_limit", 64<<10), s.size("max_packet_size", 64<<10+1024), s.expiration(), s.anonymous(), s.access(),
		s.file("password_file"), s.qos0(),
	}
}

// finding returns a finding on one option. found is a format with args; advice says how to correct the option.
func finding(option, state, advice, found string, args ...any) core.Finding {
	return core.Finding{Check: "config " + option, State: state, Found: fmt.Sprintf(found, args...), Advice: advice}
}

// persistence checks whether Mosquitto saves sessions and messages to a file at all.
func (s settings) persistence() core.Finding {
	const option = "persistence"
	if !s.isTrue(option) {
		return finding(option, core.FindingBad, "persistence true", "off: when Mosquitto ends, whatever waits for this server is gone, and was acknowledged")
	}
	return finding(option, core.FindingOK, "", "on")
}

// location checks whether the folder of that file is named. The default is the working directory.
func (s settings) location() core.Finding {
	const option = "persistence_location"
	where := s[option]
	switch {
	case !s.isTrue("persistence"):
		return finding(option, core.FindingOK, "", "not used")
	case where == "":
		return finding(option, core.FindingWarn, "persistence_location /var/lib/mosquitto/", "not given: the folder that Mosquitto happens to start in")
	case !strings.HasSuffix(where, "/"):
		return finding(option, core.FindingWarn, option+" "+where+"/", "%s does not end with /, which older versions need", where)
	default:
		return finding(option, core.FindingOK, "", "%s", where)
	}
}

// autosave checks how much data Mosquitto may have acknowledged and not saved when it is killed.
func (s settings) autosave() core.Finding {
	const option, advice = "autosave_interval", "autosave_interval 1; or autosave_on_changes true with autosave_interval 100. Each save writes all that waits"
	n, ok := s.number(option, 1800)
	// With autosave_on_changes the same option counts changes and not seconds. Up to some the loss is small; above many
	// it is a fault.
	unit, some, many := "seconds", 10, 300
	if s.isTrue("autosave_on_changes") {
		unit, some, many = "changes", 1000, 10_000
	}
	switch {
	case !ok:
		return finding(option, core.FindingBad, advice, "%q is no number", s[option])
	case !s.isTrue("persistence"):
		return finding(option, core.FindingOK, "", "not used")
	case n == 0:
		return finding(option, core.FindingBad, advice, "0: Mosquitto saves when it ends in peace only; a kill or a power cut loses all that waits")
	case n > many:
		return finding(option, core.FindingBad, advice, "a kill or a power cut loses what was acknowledged in the last %d %s", n, unit)
	case n > some:
		return finding(option, core.FindingWarn, advice, "a kill or a power cut loses what was acknowledged in the last %d %s", n, unit)
	default:
		return finding(option, core.FindingOK, "", "a kill or a power cut loses what was acknowledged in the last %d %s and not delivered; Mosquitto 2.0 cannot do better", n, unit)
	}
}

// limit checks an option for which 0 means no limit.
func (s settings) limit(option string, def, large int, what, advice string) core.Finding {
	n, ok := s.number(option, def)
	switch {
	case !ok:
		return finding(option, core.FindingBad, advice, "%q is no number", s[option])
	case n == 0:
		return finding(option, core.FindingOK, "", "no limit")
	// memory_limit bounds the whole process, so no value of it is certainly too small.
	case n < large && option != "memory_limit":
		return finding(option, core.FindingBad, advice, "%d %s", n, what)
	default:
		return finding(option, core.FindingWarn, advice, "%d %s", n, what)
	}
}

// window checks how many messages Mosquitto sends ahead of the acknowledgements.
func (s settings) window() core.Finding {
	const option, advice = "max_inflight_messages", "max_inflight_messages 1000"
	switch n, ok := s.number(option, 20); {
	case !ok:
		return finding(option, core.FindingBad, advice, "%q is no number", s[option])
	// 0 means no limit, so it is never too small.
	case n > 0 && n < smallWindow:
		return finding(option, core.FindingWarn, advice, "%d: a commit takes no more messages than these; slow, and it loses nothing", n)
	default:
		return finding(option, core.FindingOK, "", "%d", n)
	}
}

// size checks a limit of one message of a device: of the payload, or of the whole packet with its header. need is in bytes.
func (s settings) size(option string, need int) core.Finding {
	advice := option + " 1048576"
	switch n, ok := s.number(option, 0); {
	case !ok:
		return finding(option, core.FindingBad, advice, "%q is no number", s[option])
	case n == 0:
		return finding(option, core.FindingOK, "", "no limit; a device may send up to 256 MiB at once, 1048576 would do")
	case n < need:
		return finding(option, core.FindingBad, advice, "what is over %d bytes is dropped; this server takes payloads up to %d", n, 64<<10)
	default:
		return finding(option, core.FindingOK, "", "%d bytes", n)
	}
}

// expiration checks how long a server may be disconnected before its session is removed.
func (s settings) expiration() core.Finding {
	const option = "persistent_client_expiration"
	v, ok := s[option]
	if !ok {
		return finding(option, core.FindingOK, "", "sessions are kept for ever; remove those of servers that are gone for good")
	}
	d, ok := span(v)
	switch {
	case !ok:
		return finding(option, core.FindingBad, option+" 1m", "%q is no span, as 14d", v)
	// A warning below a week, because a server may be down for some days before it is repaired.
	case d < 7*24*time.Hour:
		return finding(option, core.FindingWarn, option+" 1m", "a server that is away for %s loses its session and all that waits in it", v)
	default:
		return finding(option, core.FindingOK, "", "%s", v)
	}
}

// span parses a number with a unit: h (hours), d (days), w (weeks), m (months of 30 days) or y (years of 365 days).
func span(v string) (time.Duration, bool) {
	if v == "" {
		return 0, false
	}
	units := map[byte]time.Duration{'h': 1, 'd': 24, 'w': 7 * 24, 'm': 30 * 24, 'y': 365 * 24}
	unit, known := units[v[len(v)-1]]
	n, err := strconv.Atoi(v[:len(v)-1])
	// n is limited to the hours of 200 years, so that its product with unit cannot overflow.
	if err != nil || !known || n <= 0 || n > 200*365*24 {
		return 0, false
	}
	const most = 200 * 365 * 24 * time.Hour
	if d := time.Duration(n) * unit; d < most/time.Hour {
		return d * time.Hour, true
	}
	return most, true
}

// anonymous checks whether clients need credentials.
func (s settings) anonymous() core.Finding {
	const option = "allow_anonymous"
	if s.isTrue(option) {
		return finding(option, core.FindingWarn, "allow_anonymous false, password_file, and acl_file so that a device publishes to its own topics alone", "anybody may connect, and publish as a device")
	}
	return finding(option, core.FindingOK, "", "who gives no credentials is refused")
}

// access checks whether the rights to publish are restricted.
func (s settings) access() core.Finding {
	const option = "acl_file"
	for _, by := range []string{"plugin", "auth_plugin"} {
		if s[option] == "" && s[by] != "" {
			return finding(option, core.FindingOK, "", "none; %s %s decides", by, s[by])
		}
	}
	if s[option] == "" {
		return finding(option, core.FindingWarn, "acl_file, so that a device publishes to its own topics alone", "none: whoever may connect may publish as any device, and read what the others send")
	}
	return s.file(option)
}

// file checks whether the file that an option names exists.
func (s settings) file(option string) core.Finding {
	name := s[option]
	if name == "" {
		return finding(option, core.FindingOK, "", "none")
	}
	switch _, err := os.Stat(name); {
	// The order matters: a relative name is looked up in another folder here than in Mosquitto, so whether it exists
	// here says nothing.
	case !filepath.IsAbs(name):
		return finding(option, core.FindingWarn, option+" with the whole path", "%s: looked for in the folder that Mosquitto happens to start in", name)
	case errors.Is(err, os.ErrNotExist):
		return finding(option, core.FindingBad, "make it, or take the line out", "%s does not exist: Mosquitto ends at once when it is started the next time", name)
	case err != nil:
		return finding(option, core.FindingWarn, "let this user look at it", "%v", err)
	default:
		return finding(option, core.FindingOK, "", "%s", name)
	}
}

// qos0 reports what happens to QoS 0 publishes while no server is connected.
func (s settings) qos0() core.Finding {
	const option = "queue_qos0_messages"
	if s.isTrue(option) {
		return finding(option, core.FindingOK, "", "publishes of QoS 0 wait, too, while this server is away")
	}
	return finding(option, core.FindingOK, "", "publishes of QoS 0 are lost while this server is away: let devices use QoS 1")
}
