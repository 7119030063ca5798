package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"onemap/bench/kit"
	"onemap/geo"
	"onemap/tiles"
)

const (
	markEvery = 200 * time.Millisecond
	markZoom  = 14 // the layers' deepest: nothing is thinned there
)

// probe marks a feature now and then, is told of it by the WebSocket of one client, and looks for the
// mark in the tile that another fetches. As the protocol wants of a client, it fetches at each notice
// that covers the tile: one may be of another edit there, a moment before.
type probe struct {
	conn   *pgx.Conn       // of the one who edits
	ws     *websocket.Conn // of the one who is told
	wire   *wire           // of the one who fetches
	second *kit.Session
	marked []place
	limit  time.Duration // how long a mark may take until it is given up

	mu      sync.Mutex
	pending map[int]*mark
	delays  []time.Duration // from the commit's return to the tile in hand
	later   int             // marks that the first notice came too early for
	failed  []string
}

// mark is one marked edit.
type mark struct {
	nonce     string
	tile      tiles.Address
	made      time.Time
	committed time.Time // zero: not yet
	early     bool
}

func newProbe(ctx context.Context, s *server, second *kit.Session) (p *probe, err error) {
	p = &probe{second: second, limit: giveUpAfter, pending: map[int]*mark{}}
	defer func() {
		if err != nil {
			p.close(ctx)
		}
	}()
	if p.conn, err = pgx.Connect(ctx, s.db); err != nil {
		return p, fmt.Errorf("connect: %w", err)
	}
	all, err := places(ctx, p.conn, pointsLayer)
	if err != nil {
		return p, err
	}
	p.marked = all[len(all)-markedLast:]
	if p.wire, err = dial(ctx, s.Addr); err != nil {
		return p, err
	}
	p.ws, err = kit.DialPush(ctx, s.main, "benchtiles-0001")
	return p, err
}

func readFrame(conn *websocket.Conn) (frame, error) {
	text, err := kit.ReadFrame(conn)
	if err != nil {
		return frame{}, err
	}
	return parseFrame(text)
}

func (p *probe) close(ctx context.Context) {
	if p.conn != nil {
		_ = p.conn.Close(context.WithoutCancel(ctx)) // nothing is to be written any more
	}
	if p.ws != nil {
		_ = p.ws.Close() // run may have closed it
	}
	if p.wire != nil {
		p.wire.close()
	}
}

// run marks until timed ends, and then waits for the last marks, as long as ctx lasts.
func (p *probe) run(ctx, timed context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	frames := make(chan frame, 256)
	finished := make(chan struct{})
	group.Go(func() error { // ends by the closing below
		defer close(frames)
		for {
			f, err := readFrame(p.ws)
			select {
			case <-finished:
				return nil
			default:
			}
			if err != nil {
				return err
			}
			if f.Type == "tiles" {
				frames <- f
			}
		}
	})
	group.Go(func() error {
		for f := range frames {
			if err := p.look(f); err != nil {
				return err
			}
		}
		return nil
	})
	group.Go(func() error {
		err := p.mark(ctx, timed)
		close(finished)
		return errors.Join(err, p.ws.Close())
	})
	return group.Wait()
}

// mark edits features, one after the other, until timed ends, and waits until each has been found or
// given up.
func (p *probe) mark(ctx, timed context.Context) error {
	next := time.Now()
	for i := 0; ; i++ {
		next = next.Add(markEvery)
		going := kit.SleepUntil(timed, next)
		if !going && !kit.SleepUntil(ctx, time.Now().Add(markEvery)) {
			return nil
		}
		if p.giveUp(); !going {
			if p.waiting() == 0 {
				return nil
			}
			continue
		}
		if err := p.edit(ctx, i); err != nil {
			return err
		}
	}
}

func (p *probe) edit(ctx context.Context, i int) error {
	at := p.marked[i%len(p.marked)]
	m := &mark{nonce: fmt.Sprintf("mark-%08d", i), tile: tiles.Address(geo.TileAt(at.at, markZoom)), made: time.Now()}
	p.mu.Lock()
	p.pending[i] = m
	p.mu.Unlock()
	_, err := p.conn.Exec(ctx, `update feature set properties = properties || jsonb_build_object('kind', $2::text) where id = $1`, at.id, m.nonce)
	if err != nil {
		return fmt.Errorf("mark a feature: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	m.committed = time.Now()
	return nil
}

func (p *probe) waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.pending)
}

// giveUp counts marks as failed that have not been found for long.
func (p *probe) giveUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, m := range p.pending {
		if time.Since(m.made) > p.limit {
			delete(p.pending, i)
			p.failed = append(p.failed, fmt.Sprintf("%s in %d/%d/%d (a notice covered it: %t)", m.nonce, m.tile.Z, m.tile.X, m.tile.Y, m.early))
		}
	}
}

// look fetches the tiles of pending marks that a frame covers.
func (p *probe) look(f frame) error {
	p.mu.Lock()
	covered := map[int]*mark{}
	for i, m := range p.pending {
		if f.covers(pointsLayer, m.tile) {
			covered[i] = m
		}
	}
	p.mu.Unlock()
	for _, i := range slices.Sorted(maps.Keys(covered)) {
		m := covered[i]
		if _, err := p.wire.get(requests(p.second, []tiles.Address{m.tile}, true)[0], true); err != nil {
			return err
		}
		text, err := unpacked(p.wire.body)
		if err != nil {
			return err
		}
		p.seen(i, m, bytes.Contains(text, []byte(m.nonce)))
	}
	return nil
}

// seen notes whether a mark was in the tile.
func (p *probe) seen(i int, m *mark, there bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pending[i] != m {
		return // found already, or given up
	}
	if !there {
		m.early = true
		return
	}
	delete(p.pending, i)
	delay := time.Duration(0) // in hand before the one who committed was told
	if !m.committed.IsZero() {
		delay = time.Since(m.committed)
	}
	p.delays = append(p.delays, delay)
	if m.early {
		p.later++
	}
}

// unpacked takes gzip off, when a tile is packed: no tile begins with gzip's two bytes.
func unpacked(tile []byte) ([]byte, error) {
	if !bytes.HasPrefix(tile, []byte{0x1f, 0x8b}) {
		return tile, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(tile))
	if err != nil {
		return nil, fmt.Errorf("unpack a tile: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(r, maxBody))
	if err != nil {
		return nil, fmt.Errorf("unpack a tile: %w", err)
	}
	return text, nil
}
