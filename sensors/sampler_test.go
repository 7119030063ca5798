package sensors

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Each sample holds the counts of its interval. The samples and the rest add up to the totals.
func TestSamplesAddUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		in, _ := path(t, m, IngestOptions{Node: "n1", SampleEvery: time.Second})
		send := func(messages ...Message) {
			for _, m := range messages {
				if err := in.Accept(m, nil); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Second)
			synctest.Wait()
		}
		send(level(1), level(2), garbage("garbage"))
		send()
		m.set(func() { m.gate = make(chan struct{}) })
		send(level(3))
		st := in.Stats()
		if st.Node != "n1" || st.EveryS != 1 || len(st.Samples) != 3 {
			t.Fatalf("%+v", st)
		}
		for i, want := range []IngestCounts{
			{Received: 3, Committed: 2, Quarantined: 1}, {}, {Received: 1},
		} {
			got := st.Samples[i].IngestCounts
			if (got.Batches > 0) != (want.Committed > 0) {
				t.Errorf("sample %d: %d batches", i, got.Batches)
			}
			got.Batches = 0
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("sample %d (-want +got):\n%s", i, d)
			}
		}
		if s := st.Samples[2]; s.QueueEnvelopes != 1 || s.QueueBytes <= 0 || s.OldestMS != 1000 {
			t.Errorf("while a commit hangs: %+v", s)
		}
		close(m.gate)
		send()
		var sum IngestCounts
		for _, s := range in.Stats().Samples {
			sum.Received += s.Received
			sum.Committed += s.Committed
			sum.Quarantined += s.Quarantined
			sum.Batches += s.Batches
		}
		if d := cmp.Diff(in.Stats().Totals, sum); d != "" {
			t.Errorf("totals and the sum of the samples (-total +sum):\n%s", d)
		}
		stop(t, in)
	})
}

func TestSamplesGoBackAQuarterOfAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, _ := path(t, newMemory(), IngestOptions{SampleEvery: 5 * time.Second})
		time.Sleep(time.Hour)
		synctest.Wait()
		st := in.Stats()
		if n := len(st.Samples); n != 180 {
			t.Errorf("%d samples", n)
		}
		if first, last := st.Samples[0].At, st.Samples[179].At; last.Sub(first) != 15*time.Minute-5*time.Second {
			t.Errorf("from %v to %v", first, last)
		}
		stop(t, in)
	})
}

// Several committers find the database unavailable and available again together. Every message is answered, and what is
// accepted afterwards is stored.
func TestSeveralCommittersSeeTheDatabaseGoAndReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const devices = 12
		m := &memory{away: true}
		for d := range devices {
			m.devices = append(m.devices, device(fmt.Sprintf("dev-%d", d), "level"))
		}
		m.away = false
		in, _ := path(t, m, IngestOptions{Committers: 3})
		answers := make(chan error, 1000)
		send := func() (refused int) {
			for d := range devices {
				m := level(d)
				m.Device = fmt.Sprintf("dev-%d", d)
				if err := in.Accept(m, func(err error) { answers <- err }); err != nil {
					refused++
				}
			}
			synctest.Wait()
			return refused
		}
		m.set(func() { m.away = true })
		refused := send()
		if len(answers)+refused != devices || len(answers) == 0 {
			t.Errorf("%d answered and %d refused of %d", len(answers), refused, devices)
		}
		for len(answers) > 0 {
			if err := <-answers; err == nil {
				t.Error("acknowledged while the database was away")
			}
		}
		if h := in.Health(); h.OK {
			t.Errorf("health %+v", h)
		}
		if refused := send(); refused != devices {
			t.Errorf("%d refused of %d while away", refused, devices)
		}
		m.set(func() { m.away = false })
		time.Sleep(time.Minute)
		synctest.Wait()
		if refused := send(); refused != 0 || !in.Health().OK {
			t.Errorf("%d refused after the return, %+v", refused, in.Health())
		}
		for range devices {
			if err := <-answers; err != nil {
				t.Error(err)
			}
		}
		if n := len(m.values()); n != devices {
			t.Errorf("%d stored", n)
		}
		stop(t, in)
	})
}
