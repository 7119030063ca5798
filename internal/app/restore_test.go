package app_test

import (
	"os/exec"
	"testing"

	"github.com/jackc/pgx/v5"

	"onemap/demo"
	"onemap/internal/core"
)

// tell writes n events that are sent to every city-wide client.
func tell(t *testing.T, conn *pgx.Conn, n int) {
	t.Helper()
	for range n {
		if _, err := conn.Exec(t.Context(), `select append_event('test.told', '{3706}', null, '', '', '{}')`); err != nil {
			t.Fatal(err)
		}
	}
}

// told reads n of these events and returns the position of the last.
func (l *live) told(n int) (last core.Mark) {
	l.t.Helper()
	for range n {
		f := l.until("an event", func(f frame) bool { return f.Kind == "test.told" })
		last = core.Mark{Seq: f.Seq, ID: f.ID}
	}
	return last
}

// TestMachinePutBack: the demo's folder is restored to an earlier day, as from a snapshot of a machine, and the demo
// continues. A page that was open on the lost day takes a new snapshot; a page that was closed before it receives every new
// event.
func TestMachinePutBack(t *testing.T) {
	dir := demoDir(t)
	saved := dir + "-saved"
	copyFolder := func(from, to string) {
		t.Helper()
		for _, args := range [][]string{{"rm", "-rf", to}, {"cp", "-a", from, to}} {
			if out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %v: %s", args, err, out)
			}
		}
	}
	t.Cleanup(func() {
		if out, err := exec.Command("rm", "-rf", saved).CombinedOutput(); err != nil {
			t.Errorf("remove the copy: %v: %s", err, out)
		}
	})
	stop := func(d *demo.Demo) {
		t.Helper()
		if err := d.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}

	d := startDemo(t, dir)
	l := login(t, d.Info(), "commander").connect("client-asleep", "", core.Mark{})
	epoch := l.seen[0].Epoch
	tell(t, byHand(t, d.Info().Database), 2)
	asleep := l.told(2)
	stop(d)
	copyFolder(dir, saved)

	d = startDemo(t, dir)
	l = login(t, d.Info(), "commander").connect("client-awake", epoch, asleep)
	tell(t, byHand(t, d.Info().Database), 5)
	awake := l.told(5)
	stop(d)
	copyFolder(saved, dir)

	d = startDemo(t, dir)
	u := login(t, d.Info(), "commander")
	conn := byHand(t, d.Info().Database)
	// The new history continues until it has passed the last event of the lost day and the server has followed it to there.
	l = u.connect("client-new", "", core.Mark{})
	news := 0
	for last := (core.Mark{}); last.Seq <= awake.Seq; news++ {
		tell(t, conn, 1)
		last = l.told(1)
	}
	l = u.connect("client-awake", epoch, awake)
	if w := l.seen[0]; w.Recovered || w.Epoch != epoch || w.Head <= awake.Seq {
		t.Errorf("the page of the lost day is welcomed with %+v", w)
	}
	tell(t, conn, 1)
	l.told(1)
	l = u.connect("client-asleep", epoch, asleep)
	if w := l.seen[0]; !w.Recovered {
		t.Errorf("the page that slept is welcomed with %+v", w)
	}
	l.told(news + 1)
}
