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
	// The pace of the marks, and the zoom of the tiles in which the probe looks for them.
	markEvery = 200 * time.Millisecond
	markZoom  = 14 // the largest zoom of the layers, without thinning
)

// probe marks a feature at intervals, receives the notice of the change on the WebSocket of one client, and looks for the
// mark in the tile that another client fetches. As the protocol requires, it fetches at each notice that covers the tile: a
// notice may be about an earlier edit in the same tile.
type probe struct {
	conn   *pgx.Conn       // connection of the editor
	ws     *websocket.Conn // connection of the client that receives notices
	wire   *wire           // connection of the client that fetches tiles
	second *kit.Session
	marked []place
	limit  time.Duration // time after which a mark counts as missing

	mu      sync.Mutex
	pending map[int]*mark
	delays  []time.Duration // from the return of the commit until the tile with the mark was received
	later   int             // marks that were not yet in the tile at the first notice
	failed  []string
}

// mark is one marked edit.
type mark struct {
	nonce     string
	tile      tiles.Address
	made      time.Time
	committed time.Time // zero: not committed yet
	early     bool
}

// newProbe opens the three connections. The probe marks the last points of the layer, which the writer leaves alone, so that
// no other edit removes a mark.
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
		_ = p.conn.Close(context.WithoutCancel(ctx)) // an error is ignored: no more writes follow
	}
	if p.ws != nil {
		_ = p.ws.Close() // run may have closed it
	}
	if p.wire != nil {
		p.wire.close()
	}
}

// run marks features until timed ends. It then waits for the last marks, at most until ctx ends.
func (p *probe) run(ctx, timed context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	frames := make(chan frame, 256)
	finished := make(chan struct{})
	group.Go(func() error { // ends when the connection is closed below
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
			if err := p.fetchCovered(f); err != nil {
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

// mark edits features one after the other until timed ends, and waits until each is found or given up.
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

// edit marks one feature. The mark is pending before the commit, because a notice can arrive before the commit returns.
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

// waiting returns the number of pending marks.
func (p *probe) waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.pending)
}

// giveUp counts the marks as failed that were not found within the limit.
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

// fetchCovered fetches the tiles of the pending marks that a frame covers.
func (p *probe) fetchCovered(f frame) error {
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
		p.record(i, m, bytes.Contains(text, []byte(m.nonce)))
	}
	return nil
}

// record records whether a mark was in the tile.
func (p *probe) record(i int, m *mark, there bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pending[i] != m {
		return // already found or given up
	}
	if !there {
		m.early = true
		return
	}
	delete(p.pending, i)
	delay := time.Duration(0) // the tile arrived before the commit returned
	if !m.committed.IsZero() {
		delay = time.Since(m.committed)
	}
	p.delays = append(p.delays, delay)
	if m.early {
		p.later++
	}
}

// unpacked decompresses a tile if it is compressed. No tile begins with the two bytes of gzip.
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
