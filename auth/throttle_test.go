package auth

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"onemap/internal/fault"
)

func testLimit() limit {
	return limit{free: 3, first: time.Second, most: 8 * time.Second, forget: time.Minute}
}

func TestWaits(t *testing.T) {
	l := testLimit()
	for n, want := range map[int]time.Duration{
		0: 0, 2: 0, 3: time.Second, 4: 2 * time.Second, 5: 4 * time.Second, 6: 8 * time.Second, 7: 8 * time.Second, 1e6: 8 * time.Second,
	} {
		if got := l.wait(n); got != want {
			t.Errorf("after %d failures %v, want %v", n, got, want)
		}
	}
	if l.highest() != 6 {
		t.Errorf("the highest count is %v, want 6", l.highest())
	}
}

// Of two attempts that fail together the row of the later one counts both, whichever is heard of first. A clock that
// goes back does not stop the counting.
func TestRowsOutOfOrder(t *testing.T) {
	th, holds := newThrottle(), []hold{{loginKey("x"), testLimit()}}
	now := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	before := now.Add(-time.Second)
	for i, c := range []struct {
		at   time.Time
		row  Failures
		want float64
	}{
		{now, Failures{2, now}, 2}, {before, Failures{1, before}, 2}, {now, Failures{1, now}, 2}, {now, Failures{3, now}, 3},
		{now.Add(-time.Hour), Failures{4, now.Add(-time.Hour)}, 4}, {now.Add(-time.Hour), Failures{5, now.Add(-time.Hour)}, 5},
	} {
		th.fail(holds, []Failures{c.row}, c.at)
		if got := th.seen[holds[0].key].Count; got != c.want {
			t.Errorf("row %d: a count of %v, want %v", i, got, c.want)
		}
	}
}

// Each line is a story of one key: f fails, s succeeds, seconds pass; then what an attempt is told.
func TestThrottleStories(t *testing.T) {
	type step struct {
		after time.Duration
		fail  bool
	}
	fails := func(n int) []step {
		var all []step
		for range n {
			all = append(all, step{8 * time.Second, true})
		}
		return all
	}
	tests := map[string]struct {
		steps []step
		after time.Duration
		want  time.Duration
	}{
		"nothing":                        {nil, 0, 0},
		"two failures":                   {fails(2), 0, 0},
		"three":                          {fails(3), 0, time.Second},
		"three, half the wait":           {fails(3), 500 * time.Millisecond, 500 * time.Millisecond},
		"three, the wait":                {fails(3), time.Second, 0},
		"many":                           {fails(50), 0, 8 * time.Second},
		"many, and a minute":             {fails(50), time.Minute, 0},
		"three, a success, at once":      {append(fails(3), step{time.Second, false}), 0, 0},
		"six, and three are forgotten":   {append(fails(6), step{3 * time.Minute, true}), 0, 2 * time.Second},
		"fifty are as soon forgotten":    {append(fails(50), step{6 * time.Minute, true}), 0, 0},
		"the clock goes back in between": {append(fails(3), step{-time.Hour, false}), 0, time.Second},
		"and the wait goes by":           {append(fails(3), step{-time.Hour, false}), time.Second, 0},
	}
	for name, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			th, holds := newThrottle(), []hold{{loginKey("x"), testLimit()}}
			now := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
			clock := func() time.Time { return now }
			for i, s := range tt.steps {
				now = now.Add(s.after)
				if err := th.begin(t.Context(), holds, clock); err != nil {
					if s.after < 0 {
						continue // refused: an attempt of before the failures
					}
					t.Fatalf("%s, step %d: %v", name, i, err)
				}
				if s.fail {
					th.fail(holds, nil, now)
				}
				th.end(holds)
			}
			now = now.Add(tt.after)
			err := th.begin(t.Context(), holds, clock)
			if waitIn(err) != tt.want || (err == nil) != (tt.want == 0) {
				t.Errorf("%s: %v, want a wait of %v", name, err, tt.want)
			}
		})
	}
}

// Who finds no free failure left waits for those under way: it is let in when they succeed, refused when they fail.
func TestThrottleWaitsForAttemptsUnderWay(t *testing.T) {
	for _, fails := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			th, holds := newThrottle(), []hold{{loginKey("x"), testLimit()}}
			for range 3 {
				if err := th.begin(t.Context(), holds, time.Now); err != nil {
					t.Fatal(err)
				}
			}
			outcome := make(chan error, 1)
			go func() { outcome <- th.begin(t.Context(), holds, time.Now) }()
			synctest.Wait()
			select {
			case err := <-outcome:
				t.Fatalf("did not wait: %v", err)
			default:
			}
			for range 3 {
				if fails {
					th.fail(holds, nil, time.Now())
				}
				th.end(holds)
			}
			if err := <-outcome; (waitIn(err) == time.Second) != fails || (err == nil) == fails {
				t.Errorf("they fail: %v, it is told %v", fails, err)
			}
		})
	}
}

func TestThrottleWaitsNoLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th, holds := newThrottle(), []hold{{loginKey("x"), testLimit()}}
		for range 3 {
			if err := th.begin(t.Context(), holds, time.Now); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errBusy())
		defer cancel()
		if err := th.begin(ctx, holds, time.Now); waitIn(err) != busyAfter {
			t.Errorf("%v, want to be told to come back", err)
		}
	})
}

// The store's rows are believed, but not over what this process knows better.
func TestThrottleTakesTheStoresRows(t *testing.T) {
	now := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	key := loginKey("x")
	holds := []hold{{key, testLimit()}}
	told := func(th *throttle, at time.Time) time.Duration {
		err := th.begin(t.Context(), holds, func() time.Time { return at })
		if err == nil {
			th.end(holds)
		}
		return waitIn(err)
	}
	take := func(th *throttle, stamp uint64, f Failures, at time.Time) {
		th.take([]LoginKey{key}, map[LoginKey]Failures{key: f}, stamp, at)
	}
	th := newThrottle()
	take(th, th.stamp(), Failures{5, now}, now)
	if got := told(th, now); got != 4*time.Second {
		t.Errorf("another node's five failures: %v", got)
	}
	stale := th.stamp()
	th.fail(holds, []Failures{{6, now}}, now)
	take(th, stale, Failures{1, now}, now)
	if got := told(th, now); got != 8*time.Second {
		t.Errorf("a read from before the failure undid it: %v", got)
	}
	th.take([]LoginKey{key}, nil, th.stamp(), now)
	if got := told(th, now); got != 0 {
		t.Errorf("another node has cleared the key: %v", got)
	}
	// A clock was a day ahead. Nobody waits for it, whatever is read again and again.
	ahead := Failures{5, now.Add(24 * time.Hour)}
	for i := range 5 {
		take(th, th.stamp(), ahead, now.Add(time.Duration(i)*time.Second))
	}
	if got := told(th, now.Add(4*time.Second)); got != 0 {
		t.Errorf("after the wait of five failures: %v", got)
	}
}

func TestThrottleIsBounded(t *testing.T) {
	th := newThrottle()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	busy := []hold{{loginKey("busy"), testLimit()}}
	if err := th.begin(t.Context(), busy, func() time.Time { return now }); err != nil {
		t.Fatal(err)
	}
	for i := range maxKeys + 10 {
		th.fail([]hold{{loginKey("x", time.Duration(i).String()), testLimit()}}, nil, now.Add(time.Duration(i)*time.Millisecond))
	}
	if len(th.seen) > maxKeys {
		t.Errorf("the throttle remembers %d keys", len(th.seen))
	}
	th.end(busy)
	if _, ok := th.seen[loginKey("x", time.Duration(maxKeys).String())]; !ok {
		t.Error("the newest is forgotten")
	}
}

// One address with a thousand attempts holds another's up by one, and a familiar caller's by none.
func TestTurnsAreFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newLoginQueue(1, 8)
		if err := turns.enter(t.Context(), "first", false); err != nil {
			t.Fatal(err)
		}
		served := make(chan string, 100)
		enter := func(who string, familiar bool) {
			go func() {
				if err := turns.enter(t.Context(), who, familiar); err != nil {
					e, _ := errors.AsType[*fault.Error](err)
					served <- who + " " + e.Message.Code
					return
				}
				served <- who
				turns.leave()
			}()
			synctest.Wait()
		}
		for range 10 {
			enter("flood", false)
		}
		for range 2 { // two of the flood found no place
			if got := <-served; got != "flood login-busy" {
				t.Fatal(got)
			}
		}
		enter("other", false) // the last of the flood goes for it
		enter("desk", true)
		for range 2 {
			if got := <-served; got != "flood login-busy" {
				t.Fatal(got)
			}
		}
		turns.leave()
		synctest.Wait()
		var order []string
		for range 8 {
			order = append(order, <-served)
		}
		if order[0] != "flood" || order[1] != "desk" || order[2] != "other" || order[3] != "flood" {
			t.Errorf("served in the order %v", order)
		}
		if turns.waiting != 0 || turns.free != 1 {
			t.Errorf("%d wait, %d are free", turns.waiting, turns.free)
		}
	})
}

func TestTurnsLetGoOfWhoLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newLoginQueue(1, 8)
		if err := turns.enter(t.Context(), "a", false); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := turns.enter(ctx, "b", false); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if turns.waiting != 0 {
			t.Errorf("%d wait", turns.waiting)
		}
		turns.leave()
		if err := turns.enter(t.Context(), "c", true); err != nil {
			t.Error(err)
		}
	})
}
