package push

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"onemap/internal/core"
	"onemap/tiles"
)

// The notices of the tests.
var (
	byDivision = core.Audience{Kind: core.AudienceDivision}
	everyone   = core.Audience{Kind: core.AudiencePublic}
	commanders = core.Audience{Kind: core.AudienceRoles, Roles: []core.Role{core.RoleCommander, core.RoleObserver}}
	stewards   = core.Audience{Kind: core.AudienceRoles, Roles: []core.Role{core.RoleSteward}}
)

func changed(layer string, a core.Audience, division string, ranges ...tiles.Range) tiles.Notice {
	return tiles.Notice{Layer: layer, Audience: a, Division: division, Ranges: ranges}
}

// tiles is the next tiles frame.
func (p *peer) tiles() frame {
	p.t.Helper()
	return p.await("a tiles frame", func(f frame) bool { return f.Type == typeTiles })
}

// bareHub has a client of each scope, without a connection, and does not run.
func bareHub(t testing.TB, clientsEach int, scopes ...core.Scope) *Hub {
	t.Helper()
	h, err := New(Parts{Events: newMemLog(), Follower: unfollowed(), Batches: &memBatches{}}, Options{}, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scopes {
		h.classes[s] = &class{members: make(map[*client]struct{})}
		for range clientsEach {
			c := &client{hub: h, scope: s, class: h.classes[s], wakeup: make(chan struct{}, 1)}
			h.classes[s].members[c] = struct{}{}
		}
	}
	return h
}

// see is what since gives, before it is encoded; nil is nothing.
func (t *tileFeed) see(s core.Scope, from uint64) (*tilesFrame, uint64) {
	msg, to := t.since(s, from)
	if msg == nil {
		return nil, to
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, m := range t.frames {
		if m != msg {
			continue
		}
		f := t.build(key)
		if n := len(must(json.Marshal(f))); n != msg.size {
			panic(fmt.Sprintf("the frame has %d bytes, made anew it has %d", msg.size, n))
		}
		return &f, to
	}
	panic("the frame is not among those that are shared")
}

var (
	city     = core.Scope{Division: "3706", Role: core.RoleCommander}
	county02 = core.Scope{Division: "370602", Role: core.RoleResponder}
	county14 = core.Scope{Division: "370614", Role: core.RoleResponder}
	steward  = core.Scope{Division: "370602", Role: core.RoleSteward}
)

// TestTilesOverTheWire: each is told what its scope may know, byte by byte.
func TestTilesOverTheWire(t *testing.T) {
	ho := open(t, fast()).ready()
	who := []*peer{
		ho.join(commander, "city", "e1", 0), ho.join(responder370602, "c02", "e1", 0),
		ho.join(responder370614, "c14", "e1", 0), ho.join(steward370602, "steward", "e1", 0),
	}
	ho.hub.TilesChanged([]tiles.Notice{
		changed("zone", byDivision, "370602001", span(14, 7, 8, 7, 8), span(13, 3, 4, 3, 4)),
		changed("zone", byDivision, "370614", span(13, 4, 4, 5, 4)),
		changed("zone", byDivision, "", span(2, 1, 1, 1, 1)),   // of no division: the city's alone
		changed("secret", commanders, "", span(6, 1, 2, 3, 4)), // it has become another's
		changed("secret", stewards, "", span(5, 1, 2, 3, 4)),
		changed("land", everyone, "370614", span(9, 1, 1, 1, 1)),
		{Layer: "moved", Audience: byDivision, Division: "370614"}, // all of a layer is everyone's who may know of it
	})
	rest := `{"layer":"land","ranges":[[9,1,1,1,1]]},{"layer":"moved","all":true},`
	for i, want := range []string{
		rest + `{"layer":"secret","ranges":[[6,1,2,3,4]]},{"layer":"zone","ranges":[[2,1,1,1,1],[13,3,4,5,4],[14,7,8,7,8]]}`,
		rest + `{"layer":"zone","ranges":[[13,3,4,3,4],[14,7,8,7,8]]}`,
		rest + `{"layer":"zone","ranges":[[13,4,4,5,4]]}`,
		rest + `{"layer":"secret","ranges":[[5,1,2,3,4]]},{"layer":"zone","ranges":[[13,3,4,3,4],[14,7,8,7,8]]}`,
	} {
		f := who[i].tiles()
		want = `{"type":"tiles","at":"` + atOf(t, f) + `","all":false,"layers":[` + want + `]}`
		if f.raw != want {
			t.Errorf("%v got\n%s, want\n%s", who[i].scope, f.raw, want)
		}
	}
	ho.hub.TilesChanged([]tiles.Notice{changed("land", everyone, "", span(9, 1, 1, 1, 1)), {}})
	for _, p := range who {
		f := p.tiles()
		if want := `{"type":"tiles","at":"` + atOf(t, f) + `","all":true,"layers":[]}`; f.raw != want {
			t.Errorf("%v got %s, want %s", p.scope, f.raw, want)
		}
	}
}

// TestTilesHidden: whom a change does not concern is not even told that there was one.
func TestTilesHidden(t *testing.T) {
	ho := open(t, fast()).ready()
	hidden := ho.join(responder370614, "c14", "e1", 0)
	seen := ho.join(responder370602, "c02", "e1", 0)
	for range 2 * tileFlushes { // more than is remembered
		ho.hub.TilesChanged([]tiles.Notice{
			changed("zone", byDivision, "370602", span(13, 3, 4, 3, 4)), changed("secret", stewards, "", span(5, 1, 2, 3, 4)),
		})
		seen.tiles()
	}
	ho.log.add("alert.issued", "370614")
	hidden.event()
	ho.hub.TilesChanged([]tiles.Notice{changed("zone", byDivision, "370614", span(1, 1, 1, 1, 1))})
	f := hidden.tiles()
	if want := `{"type":"tiles","at":"` + atOf(t, f) + `","all":false,"layers":[{"layer":"zone","ranges":[[1,1,1,1,1]]}]}`; f.raw != want {
		t.Errorf("got %s, want %s", f.raw, want)
	}
}

// TestTilesCoalesced: the first notice arms the timer, whatever follows goes with it, in one frame.
func TestTilesCoalesced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := bareHub(t, 1, city)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go h.flushTiles(ctx)
		for round := range uint64(3) {
			time.Sleep(time.Hour) // nothing is armed
			for i := range uint32(1999) {
				h.TilesChanged([]tiles.Notice{changed("zone", byDivision, "370602", span(14, i/50, i%50, i/50, i%50))})
				if i%200 == 0 {
					time.Sleep(19 * time.Millisecond) // 190 ms in all
				}
			}
			time.Sleep(9 * time.Millisecond)
			synctest.Wait()
			if at := h.tiles.position(); at != round {
				t.Fatalf("after 199 ms %d flushes, want %d", at, round)
			}
			time.Sleep(time.Millisecond)
			synctest.Wait()
			f, to := h.tiles.see(city, round)
			if f == nil || to != round+1 {
				t.Fatalf("after 200 ms %d flushes, want %d", to, round+1)
			}
			want := []layerTiles{{Layer: "zone", Ranges: [][5]uint32{{14, 0, 0, 39, 48}, {14, 0, 49, 38, 49}}}}
			if diff := cmp.Diff(want, f.Layers); diff != "" {
				t.Error(diff)
			}
			for c := range h.classes[city].members {
				<-c.wakeup
			}
		}
	})
}

// TestTilesWelcome: what was flushed before a welcome is not told after it, what comes then is.
func TestTilesWelcome(t *testing.T) {
	ho := open(t, fast()).ready()
	old := ho.join(commander, "old", "e1", 0)
	ho.hub.TilesChanged([]tiles.Notice{changed("land", everyone, "", span(9, 1, 1, 1, 1))})
	old.tiles()
	newer := ho.join(commander, "new", "e1", 0)
	back := ho.join(commander, "old", "e1", 0)
	ho.hub.TilesChanged([]tiles.Notice{changed("land", everyone, "", span(9, 8, 8, 8, 8))})
	for _, p := range []*peer{old, newer, back} {
		if f := p.tiles(); len(f.Layers) != 1 || !slices.Equal(f.Layers[0].Ranges, [][5]uint32{{9, 8, 8, 8, 8}}) {
			t.Errorf("got %s", f.raw)
		}
	}
}

// TestTilesRestart: a restored log sends everyone away; the feed goes on for those who come back.
func TestTilesRestart(t *testing.T) {
	ho := open(t, fast()).ready()
	p := ho.join(commander, "p", "e1", 0)
	ho.hub.TilesChanged([]tiles.Notice{changed("land", everyone, "", span(9, 1, 1, 1, 1))})
	p.tiles()
	ho.log.restore("e2", 7)
	p.wantClosed(CloseResume, "restored")
	ho.ready()
	p = ho.join(commander, "p", "e1", 0)
	ho.hub.TilesChanged([]tiles.Notice{{}})
	if f := p.tiles(); !f.All {
		t.Errorf("got %s", f.raw)
	}
}

// TestTilesSlowClient: one that does not read costs no more than the bound; when it reads again it is
// told that everything may have changed, and after that it is up to date.
func TestTilesSlowClient(t *testing.T) {
	o := fast()
	o.CoalesceTiles, o.QueueLag, o.Heartbeat = time.Millisecond, patience, patience
	ho := open(t, o).ready()
	slow := ho.deaf(responder370602)
	slow.say(`{"type":"hello","client":"slow-client","epoch":"e1","last_seq":0}`)
	slow.await("welcome", func(f frame) bool { return f.Type == typeWelcome })
	var big []tiles.Notice // 80 kB in a frame, far more than the kernel holds in all
	for i := range 40 {
		n := changed(fmt.Sprintf("layer-%02d", i), everyone, "")
		for x := range uint32(maxRanges) {
			n.Ranges = append(n.Ranges, span(22, 3_000_000+2*x, 3_000_000, 3_000_000+2*x, 3_000_000))
		}
		big = append(big, n)
	}
	const last = 6 * tileFlushes
	for i := range uint64(last) {
		ho.hub.TilesChanged(big)
		until(t, "it is flushed", func() bool { return ho.hub.tiles.position() == i+1 })
	}
	ho.hub.tiles.mu.Lock()
	if n, m := len(ho.hub.tiles.flushes), len(ho.hub.tiles.frames); n > tileFlushes || ho.hub.tiles.held > maxHeldRanges || m > 2 {
		t.Errorf("%d flushes, %d ranges and %d frames are held", n, ho.hub.tiles.held, m)
	}
	ho.hub.tiles.mu.Unlock()
	told := 0
	for f := slow.tiles(); !f.All; f = slow.tiles() {
		if told++; told > last-tileFlushes {
			t.Fatalf("%d frames without a word of those that were forgotten", told)
		}
	}
	ho.hub.TilesChanged([]tiles.Notice{changed("land", everyone, "", span(9, 1, 1, 1, 1))})
	if f := slow.tiles(); f.All || len(f.Layers) != 1 || f.Layers[0].Layer != "land" {
		t.Errorf("then came %.200s", f.raw)
	}
}

// TestTilesForgotten: only who could see what is forgotten is told of everything.
func TestTilesForgotten(t *testing.T) {
	h := bareHub(t, 1, city, county02, county14, core.Scope{})
	flush := func(division string, x uint32) {
		h.TilesChanged([]tiles.Notice{changed("zone", byDivision, division, span(9, x, 0, x, 0))})
		h.showTiles()
	}
	flush("370602", 0)
	for x := range uint32(tileFlushes - 1) {
		flush("370614", 2*x)
	}
	for s, want := range map[core.Scope]int{city: tileFlushes, county02: 1, county14: tileFlushes - 1} {
		if f, to := h.tiles.see(s, 0); to != tileFlushes || f.All || len(f.Layers[0].Ranges) > want {
			t.Errorf("%v: %+v at %d", s, f, to)
		}
	}
	flush("370614", 200)
	for s, all := range map[core.Scope]bool{city: true, county02: true, county14: false} {
		if f, to := h.tiles.see(s, 0); to != tileFlushes+1 || f.All != all {
			t.Errorf("%v: %+v at %d, want all %v", s, f, to, all)
		}
	}
	if f, to := h.tiles.see(city, 1); f.All || to != tileFlushes+1 {
		t.Errorf("who has the forgotten one was told %+v", f)
	}
	for _, from := range []uint64{1, 20, tileFlushes + 1} { // nothing of the county's own since
		if f, to := h.tiles.see(county02, from); f != nil || to != tileFlushes+1 {
			t.Errorf("from %d: %+v at %d", from, f, to)
		}
	}
	flush("370602", 300)
	if f, _ := h.tiles.see(county02, 1); f.All || len(f.Layers[0].Ranges) != 1 {
		t.Errorf("a county was told %+v", f)
	}
	if f, _ := h.tiles.see(core.Scope{}, 0); f != nil {
		t.Errorf("nobody was told %+v", f)
	}
}

// TestTilesShared: clients of one scope that missed the same are given one frame, wherever they stand.
func TestTilesShared(t *testing.T) {
	h := bareHub(t, 1, county02, county14)
	for _, division := range []string{"370602", "370614", "370614", "370602"} {
		h.TilesChanged([]tiles.Notice{changed("zone", byDivision, division, span(9, 1, 1, 1, 1))})
		h.showTiles()
	}
	var first *message
	for from := range uint64(3) {
		msg, to := h.tiles.since(county02, from+1)
		if first == nil {
			first = msg
		}
		if msg == nil || msg != first || to != 4 {
			t.Errorf("from %d: another frame, to %d", from+1, to)
		}
	}
}

// TestTilesNobody: without a client nothing is kept, and notices before Run are merged within bounds.
func TestTilesNobody(t *testing.T) {
	h := bareHub(t, 0)
	h.TilesChanged(nil)
	land := changed("land", everyone, "", span(9, 1, 1, 1, 1))
	h.TilesChanged([]tiles.Notice{land, {}, land})
	if h.TilesChanged([]tiles.Notice{land}); len(h.tiles.staged) != 0 || h.tiles.ranges != 0 {
		t.Errorf("%d are staged beside everything", len(h.tiles.staged))
	}
	h.showTiles()
	if len(h.tiles.flushes) != 0 || h.tiles.head != 0 || len(h.tiles.staged) != 0 || h.tiles.all {
		t.Errorf("kept %+v", h.tiles.flushes)
	}
	for i := range uint32(3 * maxStagedRanges) {
		x, y := i*7919%4001, i*104_729%3989
		h.TilesChanged([]tiles.Notice{changed("land", everyone, "", span(14, x, y, x, y))})
		if h.tiles.ranges > maxStagedRanges {
			t.Fatalf("%d ranges are staged", h.tiles.ranges)
		}
	}
	notices := h.tiles.take()
	if len(notices) != 1 || len(notices[0].Ranges) > maxRanges || !contains(notices[0].Ranges, 14, 7919%4001, 104_729%3989) {
		t.Errorf("%d notices", len(notices))
	}
	for i := range maxStagedRanges/2 + 1 { // of as many layers: no union helps
		h.TilesChanged([]tiles.Notice{changed(fmt.Sprint(i), everyone, "", span(14, 1, 1, 1, 1), span(14, 3, 3, 3, 3))})
	}
	if notices := h.tiles.take(); len(notices) != 1 || notices[0].Layer != "" {
		t.Errorf("%d notices, want one of everything", len(notices))
	}
}

// contains reports whether one of the ranges holds a tile.
func contains(ranges []tiles.Range, z, x, y uint32) bool {
	return slices.ContainsFunc(ranges, func(r tiles.Range) bool {
		return r.Z == z && r.X0 <= x && x <= r.X1 && r.Y0 <= y && y <= r.Y1
	})
}

// TestTilesNothing: a notice of no tile is none.
func TestTilesNothing(t *testing.T) {
	h := bareHub(t, 1, city)
	h.TilesChanged([]tiles.Notice{changed("land", everyone, "", []tiles.Range{}...), {Layer: "land", Audience: everyone, Ranges: []tiles.Range{}}})
	h.TilesChanged([]tiles.Notice{changed("land", everyone, "", span(3, 9, 0, 9, 0))}) // beyond the world
	h.showTiles()
	if h.tiles.head != 0 {
		t.Errorf("flushed %+v", h.tiles.flushes)
	}
}

// TestTilesKeepNothing: the caller's slices are its own again.
func TestTilesKeepNothing(t *testing.T) {
	h := bareHub(t, 1, steward)
	n := changed("secret", core.Audience{Kind: core.AudienceRoles, Roles: []core.Role{core.RoleSteward}}, "", span(9, 1, 1, 1, 1))
	h.TilesChanged([]tiles.Notice{n})
	n.Ranges[0], n.Audience.Roles[0] = span(3, 3, 3, 3, 3), core.RoleObserver
	h.showTiles()
	if f, _ := h.tiles.see(steward, 0); f == nil || !slices.Equal(f.Layers[0].Ranges, [][5]uint32{{9, 1, 1, 1, 1}}) {
		t.Errorf("told %+v", f)
	}
}

// TestTilesCounted: notices, ranges that were made coarser, and who was too far behind.
func TestTilesCounted(t *testing.T) {
	reg := prometheus.NewRegistry()
	h := bareHub(t, 1, city)
	h.metrics = newMetrics(reg)
	h.tiles.metrics = h.metrics
	if h.metrics.frames[typeTiles] == nil {
		t.Error("frames are not counted")
	}
	for range tileFlushes + 1 {
		n := changed("land", everyone, "")
		for x := range uint32(maxRanges + 6) {
			n.Ranges = append(n.Ranges, span(14, 3*x, 0, 3*x, 0))
		}
		h.TilesChanged([]tiles.Notice{n})
		h.showTiles()
	}
	h.tiles.since(city, 0)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		if name, ok := strings.CutPrefix(f.GetName(), "onemap_push_tile_"); ok {
			got[name] = f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	// In blocks of two each range meets a neighbour.
	want := map[string]float64{"notices_total": tileFlushes + 1, "behind_total": 1, "ranges_coarsened_total": (maxRanges + 6) / 2 * (tileFlushes + 1)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestTilesAtOnce is for the race detector: notices, clients that come and go, and their frames.
func TestTilesAtOnce(t *testing.T) {
	o := fast()
	o.CoalesceTiles, o.Heartbeat = time.Millisecond, patience
	ho := open(t, o).ready()
	var all sync.WaitGroup
	stop := make(chan struct{})
	all.Go(func() {
		for i := uint32(0); ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			ho.hub.TilesChanged([]tiles.Notice{
				changed("zone", byDivision, "370602", span(14, i%999, i%997, i%999, i%997)), {Layer: "land", Audience: everyone},
			})
			if i%100 == 0 {
				time.Sleep(time.Millisecond) // leave the machine to the others
			}
		}
	})
	for range 5 {
		city, county := ho.join(commander, "city", "e1", 0), ho.join(responder370602, "c02", "e1", 0)
		for range 5 {
			city.tiles()
			county.tiles()
		}
		_ = city.conn.Close()
	}
	close(stop)
	all.Wait()
	ho.stop()
	ho.hub.TilesChanged([]tiles.Notice{{}})
}
