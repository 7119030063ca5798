package sensors

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"onemap/internal/fault"
)

func TestAuthenticate(t *testing.T) {
	m := newMemory()
	now := time.Now()
	r := NewRegistry(m, RegistryOptions{}, nil, func() time.Time { return now })
	if k, err := r.Authenticate(t.Context(), Credentials{ID: "dev-1", Secret: "secret-of-dev-1"}); err != nil || k.Division != "370602" {
		t.Fatalf("the first one loads the registry: %v", err)
	}
	for _, c := range [][2]string{{"dev-1", "wrong"}, {"dev-1", ""}, {"ghost", "secret-of-ghost"}, {"", ""}, {"dev-1/x", "secret-of-dev-1"}, {"+", "x"}} {
		if _, err := r.Authenticate(t.Context(), Credentials{ID: c[0], Secret: c[1]}); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%q: %v", c, err)
		}
	}
	if m.loads > 2 {
		t.Errorf("%d loads for strangers within the interval", m.loads)
	}

	m.devices[0].SecretSHA256 = HashSecret("changed")
	m.changed++ // and no time has passed
	if _, err := r.Authenticate(t.Context(), Credentials{ID: "dev-1", Secret: "changed"}); err != nil {
		t.Errorf("a changed secret: %v", err)
	}
	if _, err := r.Authenticate(t.Context(), Credentials{ID: "dev-1", Secret: "secret-of-dev-1"}); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("the old secret: %v", err)
	}
	now = now.Add(3 * time.Second)
	m.away = true
	if _, err := r.Authenticate(t.Context(), Credentials{ID: "ghost", Secret: "x"}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a stranger while away: %v", err)
	}
	if _, err := r.Authenticate(t.Context(), Credentials{ID: "dev-1", Secret: "changed"}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a known device while away: %v", err)
	}
}

// Logins at the same time share a query, and none gets a result from before its own start.
func TestSharedCall(t *testing.T) {
	var shared sharedCall
	var calls atomic.Int64
	gate := make(chan struct{})
	call := func() error {
		calls.Add(1)
		<-gate
		return nil
	}
	var all sync.WaitGroup
	all.Go(func() { _ = shared.do(t.Context(), call) })
	for calls.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	var waiting atomic.Int64
	for range 100 {
		all.Go(func() {
			before := calls.Load()
			waiting.Add(1)
			if err := shared.do(t.Context(), call); err != nil || calls.Load() <= before {
				t.Error("an answer from before", err)
			}
		})
	}
	for waiting.Load() < 100 {
		time.Sleep(time.Millisecond)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := shared.do(gone, call); !fault.Is(err, fault.Unavailable) {
		t.Errorf("who gave up got %v", err)
	}
	close(gate)
	all.Wait()
	if n := calls.Load(); n > 100 {
		t.Errorf("%d calls for 101 that asked", n)
	}
}

func TestADeviceWithoutAHashMatchesNothing(t *testing.T) {
	m := newMemory()
	m.devices[0].SecretSHA256 = nil
	r := NewRegistry(m, RegistryOptions{}, nil, nil)
	if _, err := r.Authenticate(t.Context(), Credentials{ID: "dev-1", Secret: ""}); !fault.Is(err, fault.Unauthenticated) {
		t.Error(err)
	}
}

func TestRegistryIsReadWhileItIsReloaded(t *testing.T) {
	m := newMemory()
	r := NewRegistry(m, RegistryOptions{}, nil, nil)
	if err := r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				if k, err := r.Find(t.Context(), "dev-1"); err != nil || k == nil {
					t.Error("lost", err)
				} else if s, ok := k.Stream("level"); !ok || s.ID != 1 {
					t.Error("stream lost")
				}
			}
		})
	}
	for range 50 {
		if err := r.Reload(t.Context()); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	if r.Devices() != 1 || len(r.All()) != 1 {
		t.Error("count")
	}
}

func TestSecrets(t *testing.T) {
	a, sum := NewSecret()
	b, _ := NewSecret()
	if len(a) != 32 || a == b || !secretMatches(a, sum) || secretMatches(b, sum) || secretMatches(a, nil) {
		t.Error(a, b)
	}
}
