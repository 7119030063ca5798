package alerts

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors"
)

// TestScripts runs testdata/*.txt, the language of which is in testdata/README.md, by the real Engine
// over a memStore, in a bubble whose clock the script moves.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scripts, %v", len(files), err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t, f)
				defer s.kill()
				lines := bufio.NewScanner(strings.NewReader(string(text)))
				for n := 1; lines.Scan(); n++ {
					line, _, _ := strings.Cut(lines.Text(), "#")
					if words := strings.Fields(line); len(words) > 0 {
						s.where = fmt.Sprintf("%s:%d: %s", f, n, strings.TrimSpace(line))
						s.do(words[0], words[1:])
					}
				}
				for _, w := range s.store.wrong() {
					t.Errorf("%s: %s", f, w)
				}
			})
		})
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

type script struct {
	t      *testing.T
	where  string
	start  time.Time
	store  *memStore
	ids    map[string]int64 // datastreams by name
	told   int              // changes that a line has expected
	engine *Engine
	stop   context.CancelFunc
	done   chan struct{}
}

func newScript(t *testing.T, where string) *script {
	return &script{t: t, where: where, start: time.Now(), store: newMemStore(), ids: map[string]int64{}}
}

func (s *script) fatal(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("%s\n\t%s", s.where, fmt.Sprintf(format, args...))
}

func (s *script) run() {
	ctx, stop := context.WithCancel(s.t.Context())
	s.engine = NewEngine(Options{Node: "script"}, s.store, s.store, quiet(), nil, time.Now)
	s.stop, s.done = stop, make(chan struct{})
	engine, done := s.engine, s.done
	go func() {
		defer close(done)
		_ = engine.Run(ctx)
	}()
	synctest.Wait()
}

func (s *script) kill() {
	if s.stop != nil {
		s.stop()
		<-s.done
		s.stop, s.engine = nil, nil
	}
}

func (s *script) do(verb string, args []string) {
	s.t.Helper()
	switch verb {
	case "stream":
		s.stream(args)
	case "rule":
		s.rule(args)
	case "enable", "disable":
		s.edit(args[0], func(r *Rule) { r.Enabled = verb == "enable" })
	case "delete":
		s.delete(args[0])
	case "device":
		s.device(args)
	case "at":
		s.at(args)
	case "commit":
		s.readings(args)
	case "kill":
		s.kill()
	case "start":
		s.run()
	case "restart":
		s.kill()
		s.run()
	case "expect":
		s.expect(args)
	case "changes":
		s.changes(args)
	case "acknowledge", "assign", "resolve", "close":
		s.handle(Action(verb), args)
	case "handling":
		s.handling(args)
	case "peak":
		s.peak(args)
	default:
		s.fatal("no such verb")
	}
}

func (s *script) reload() {
	if s.engine != nil {
		s.engine.ReloadRules()
		synctest.Wait()
	}
}

// stream does `stream NAME TYPE [interval=D] [own=D]`.
func (s *script) stream(args []string) {
	id := int64(len(s.ids) + 1)
	s.ids[args[0]] = id
	t := target(id, args[0], args[1])
	for _, opt := range args[2:] {
		if v, ok := strings.CutPrefix(opt, "interval="); ok {
			t.Type.IntervalS = int(s.duration(v) / time.Second)
		}
		if v, ok := strings.CutPrefix(opt, "own="); ok {
			t.Datastream.IntervalS = int(s.duration(v) / time.Second)
		}
	}
	s.store.mu.Lock()
	s.store.targets = append(s.store.targets, t)
	s.store.mu.Unlock()
	s.reload()
}

// rule does `rule NAME TYPE above|below [for=D] [hold=D] [on=STREAM] LEVEL=RAISE/CLEAR …`.
func (s *script) rule(args []string) {
	r := Rule{Name: core.Text{ZH: args[0]}, Type: args[1], Direction: Direction(args[2]), Enabled: true, Origin: core.OriginSynthetic, Version: 1}
	for _, opt := range args[3:] {
		name, v, _ := strings.Cut(opt, "=")
		switch name {
		case "for":
			r.ForSeconds = int(s.duration(v) / time.Second)
		case "hold":
			r.HoldSeconds = int(s.duration(v) / time.Second)
		case "on":
			r.DatastreamID = s.id(v)
		default:
			raise, calm, _ := strings.Cut(v, "/")
			r.Thresholds = append(r.Thresholds, Threshold{s.level(name), s.number(raise), s.number(calm)})
		}
	}
	if err := r.Validate(); err != nil {
		s.fatal("%v", err)
	}
	s.store.mu.Lock()
	found := false
	for i, old := range s.store.rules {
		if old.Name.ZH == args[0] {
			r.ID, r.Version, found = old.ID, old.Version+1, true
			s.store.rules[i] = r
		}
	}
	if !found {
		r.ID = int64(len(s.store.rules) + 1)
		s.store.rules = append(s.store.rules, r)
	}
	s.store.mu.Unlock()
	s.reload()
}

func (s *script) edit(name string, change func(*Rule)) {
	s.store.mu.Lock()
	for i := range s.store.rules {
		if s.store.rules[i].Name.ZH == name {
			s.store.rules[i].Version++
			change(&s.store.rules[i])
		}
	}
	s.store.mu.Unlock()
	s.reload()
}

func (s *script) delete(name string) {
	s.store.mu.Lock()
	for i, r := range s.store.rules {
		if r.Name.ZH == name {
			s.store.rules = append(s.store.rules[:i:i], s.store.rules[i+1:]...)
			break
		}
	}
	s.store.mu.Unlock()
	s.reload()
}

// device does `device STREAM on|off`.
func (s *script) device(args []string) {
	s.store.mu.Lock()
	for i := range s.store.targets {
		if s.store.targets[i].Device.ID == args[0] {
			d := *s.store.targets[i].Device
			d.Enabled = args[1] == "on"
			s.store.targets[i].Device = &d
		}
	}
	s.store.mu.Unlock()
	s.reload()
}

// at does `at +T [STREAM READING …]`.
func (s *script) at(args []string) {
	s.t.Helper()
	at := s.start.Add(s.duration(args[0]))
	if d := time.Until(at); d > 0 {
		time.Sleep(d)
	}
	synctest.Wait()
	if len(args) > 1 {
		s.readings(args[1:])
	}
}

// readings commits one batch of STREAM VALUE[!qc][@+T] pairs.
func (s *script) readings(args []string) {
	now := time.Now()
	var obs []sensors.Observation
	for i := 0; i+1 < len(args); i += 2 {
		o := sensors.Observation{DatastreamID: s.id(args[i]), Time: now, ReceivedAt: now, QC: sensors.QCGood}
		v, when, ok := strings.Cut(args[i+1], "@")
		if ok {
			o.Time = s.start.Add(s.duration(when))
		}
		v, qc, _ := strings.Cut(v, "!")
		switch qc {
		case "bad":
			o.QC = sensors.QCBad
		case "missing":
			o.QC = sensors.QCMissing
		case "suspect":
			o.QC = sensors.QCSuspect
		}
		o.Value = s.number(v)
		obs = append(obs, o)
	}
	s.store.commit(now, obs...)
	if s.engine != nil {
		s.engine.Wake()
		synctest.Wait()
	}
}

// expect does `expect STREAM none|STATE LEVEL`.
func (s *script) expect(args []string) {
	s.t.Helper()
	want, got := strings.Join(args[1:], " "), "none"
	if s.engine != nil {
		time.Sleep(s.engine.opts.Tick) // what tells nobody anything is stored by then
		synctest.Wait()
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	for k, st := range s.store.states {
		switch {
		case k.datastream != s.id(args[0]) || st.Detection == Normal:
		case st.Detection == Pending:
			got = "pending " + st.PendingLevel.String()
		default:
			a := s.store.alerts[st.AlertID-1]
			if a.Detection != st.Detection && st.Detection != Firing || a.Level != st.Level {
				s.fatal("the state is %s %s, the alert %s %s", st.Detection, st.Level, a.Detection, a.Level)
			}
			got = string(st.Detection) + " " + st.Level.String()
		}
	}
	if got != want {
		s.fatal("it is %s", got)
	}
}

// changes does `changes [STREAM:KIND:LEVEL …]`: exactly these since the last such line. A + after the
// kind: with a CAP message of its own.
func (s *script) changes(want []string) {
	s.t.Helper()
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	got := []string{}
	for _, c := range s.store.log[s.told:] {
		message := ""
		if c.Message != nil {
			message = "+"
		}
		got = append(got, fmt.Sprintf("%s:%s%s:%s", c.Alert.DeviceID, strings.TrimPrefix(c.Kind, "alert."), message, c.Alert.Level))
	}
	s.told = len(s.store.log)
	if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
		s.fatal("%s", diff)
	}
}

// newest is the newest alert of the stream.
func (s *script) newest(stream string) Alert {
	s.t.Helper()
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	for _, a := range slices.Backward(s.store.alerts) {
		if a.DatastreamID == s.id(stream) {
			return a
		}
	}
	s.fatal("no alert of %q", stream)
	return Alert{}
}

// handle does `acknowledge|assign|resolve|close STREAM UNIT [shown=LEVEL] [refused=CODE]`. Without shown the
// person was shown the alert's level; shown=none is a command that does not say it.
func (s *script) handle(action Action, args []string) {
	s.t.Helper()
	a := s.newest(args[0])
	c := Command{AlertID: a.ID, Action: action, Actor: "r" + args[1], Division: args[1], Note: "done", Confirm: true, At: time.Now(), Level: a.Level}
	if action == ActAssign {
		c.Assignee = "r370602"
	}
	want := ""
	for _, arg := range args[2:] {
		switch name, value, _ := strings.Cut(arg, "="); name {
		case "shown":
			c.Level = core.None
			if value != core.None.String() {
				c.Level = s.level(value)
			}
		case "refused":
			want = value
		default:
			s.fatal("%q", arg)
		}
	}
	_, _, err := s.store.handle(c)
	if (err != nil) != (want != "") || (err != nil && fault.MessageOf(err).Code != want) {
		s.fatal("%v, want %q", err, want)
	}
}

// handling does `handling STREAM STATE [by=UNIT:LEVEL …] [reopened=WHY@LEVEL]`, where a unit whose confirmation
// is no longer current has a ! after its level.
func (s *script) handling(args []string) {
	s.t.Helper()
	a := s.newest(args[0])
	got := []string{string(a.Handling)}
	for _, c := range a.Confirmations {
		mark := ""
		if !c.Current {
			mark = "!"
		}
		got = append(got, "by="+c.Division+":"+c.Level.String()+mark)
	}
	if a.Reopened != nil {
		got = append(got, fmt.Sprintf("reopened=%s@%s", a.Reopened.Why, a.Reopened.Level))
	}
	if diff := cmp.Diff(args[1:], got); diff != "" {
		s.fatal("%s", diff)
	}
}

// peak does `peak STREAM VALUE@+T LEVEL [flaps=N]`, of the alert as it was last told.
func (s *script) peak(args []string) {
	s.t.Helper()
	a := s.newest(args[0])
	got := []string{fmt.Sprintf("%v@+%s", a.PeakValue, a.PeakAt.Sub(s.start)), a.PeakLevel.String()}
	if a.Flaps > 0 {
		got = append(got, fmt.Sprintf("flaps=%d", a.Flaps))
	}
	value, at, _ := strings.Cut(args[1], "@")
	want := append([]string{value + "@+" + s.duration(at).String()}, args[2:]...)
	if diff := cmp.Diff(want, got); diff != "" {
		s.fatal("%s", diff)
	}
}

func (s *script) id(name string) int64 {
	s.t.Helper()
	id, ok := s.ids[name]
	if !ok {
		s.fatal("no stream %q", name)
	}
	return id
}

func (s *script) duration(v string) time.Duration {
	s.t.Helper()
	d, err := time.ParseDuration(strings.TrimPrefix(v, "+"))
	if err != nil {
		s.fatal("%v", err)
	}
	return d
}

func (s *script) number(v string) float64 {
	s.t.Helper()
	f, err := strconv.ParseFloat(v, 64)
	if err != nil {
		s.fatal("%v", err)
	}
	return f
}

func (s *script) level(name string) core.Level {
	s.t.Helper()
	for l := core.Red; l <= core.Blue; l++ {
		if l.String() == name {
			return l
		}
	}
	s.fatal("no level %q", name)
	return core.None
}
