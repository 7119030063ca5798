package sensors

import (
	"testing"

	"onemap/internal/fault"
)

func TestTheQueueIsBounded(t *testing.T) {
	one := level(1)
	for name, opts := range map[string]IngestOptions{
		"by count": {MaxQueue: 10},
		"by bytes": {MaxQueueBytes: 10 * one.size()},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			m.gate, m.entered = make(chan struct{}), make(chan int, 100)
			in, _ := path(t, m, opts)
			if err := in.Accept(one, nil); err != nil { // another's time may take a digit more
				t.Fatal(err)
			}
			<-m.entered // the first is with the committer
			for i := range 9 {
				if err := in.Accept(one, nil); err != nil {
					t.Fatalf("%d: %v", i, err)
				}
			}
			if err := in.Accept(one, nil); !fault.Is(err, fault.Unavailable) || !IsFull(err) {
				t.Errorf("the eleventh, with one being committed: %v", err)
			}
			room := make(chan error, 1)
			go func() { room <- in.Await(t.Context()) }()
			close(m.gate)
			if err := <-room; err != nil {
				t.Errorf("waiting for room: %v", err)
			}
			if err := in.Accept(one, nil); err != nil {
				t.Errorf("after the wait: %v", err)
			}
			stop(t, in)
			if err := in.Await(t.Context()); !fault.Is(err, fault.Unavailable) || IsFull(err) {
				t.Errorf("waiting for a stopped path: %v", err)
			}
			if n := len(m.values()); n != 11 {
				t.Errorf("%d stored", n)
			}
		})
	}
}

func (m Message) size() int { return item{message: m}.size() }
