package push

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"onemap/internal/core"
	"onemap/tiles"
)

// viewer is a client that takes what it is told whenever it likes.
type viewer struct {
	scope core.Scope
	at    uint64
	owed  map[string]bool // changed since it was told; "layer z/x/y", a layer, or "" for everything
	flush map[string]bool // the same of what is not flushed yet
}

// TestTilesConverge: however seldom a client looks, it is told of every tile that has changed and that
// it may know of; as long as it is not told of everything, of no other.
func TestTilesConverge(t *testing.T) {
	scopes := []core.Scope{city, county02, county14, steward}
	rapid.Check(t, func(rt *rapid.T) {
		h := bareHub(t, 1, scopes...)
		var viewers []*viewer
		for _, s := range append(scopes, scopes...) {
			viewers = append(viewers, &viewer{scope: s, owed: map[string]bool{}, flush: map[string]bool{}})
		}
		steps := rapid.IntRange(1, 4*tileFlushes).Draw(rt, "steps")
		for range steps {
			switch what := rapid.IntRange(0, 19).Draw(rt, "what"); {
			case what < 12:
				n := drawNotice(rt)
				h.TilesChanged([]tiles.Notice{n})
				for _, v := range viewers {
					v.owe(n)
				}
			case what < 16:
				h.showTiles()
				for _, v := range viewers {
					v.flushed()
				}
			default:
				viewers[what%len(viewers)].look(rt, h)
			}
		}
		h.showTiles()
		for _, v := range viewers {
			v.flushed()
			v.look(rt, h)
		}
	})
}

// drawNotice is one of two layers, now and then of all of one, seldom of everything.
func drawNotice(rt *rapid.T) tiles.Notice {
	x, y := rapid.Uint32Range(0, 7).Draw(rt, "x"), rapid.Uint32Range(0, 7).Draw(rt, "y")
	n := tiles.Notice{
		Layer:    rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "layer"),
		Audience: rapid.SampledFrom([]core.Audience{everyone, byDivision, stewards, commanders}).Draw(rt, "audience"),
		Division: rapid.SampledFrom([]string{"", "3706", "370602", "370602001", "370614"}).Draw(rt, "division"),
		Ranges:   []tiles.Range{span(3, x, y, min(7, x+1), y)},
	}
	switch what := rapid.IntRange(0, 39).Draw(rt, "what of it"); {
	case what == 39:
		return tiles.Notice{}
	case what >= 35:
		n.Ranges = nil
	}
	return n
}

// owe notes what a viewer must be told of.
func (v *viewer) owe(n tiles.Notice) {
	if !n.VisibleTo(v.scope) {
		return
	}
	if n.Ranges == nil {
		v.flush[n.Layer] = true
	}
	for a := range covered(n.Ranges) {
		v.flush[fmt.Sprintf("%s %d/%d/%d", n.Layer, a.Z, a.X, a.Y)] = true
	}
}

func (v *viewer) flushed() {
	for key := range v.flush {
		v.owed[key] = true
	}
	clear(v.flush)
}

// look takes what there is and holds it against what is owed.
func (v *viewer) look(rt *rapid.T, h *Hub) {
	behind := v.at < h.tiles.forgotten[v.scope]
	f, to := h.tiles.see(v.scope, v.at)
	v.at = to
	owed := v.owed
	v.owed = map[string]bool{}
	if f == nil {
		if len(owed) > 0 {
			rt.Fatalf("%v was not told of %v", v.scope, owed)
		}
		return
	}
	if f.All {
		if !behind && !owed[""] {
			rt.Errorf("%v was told of everything, without need", v.scope)
		}
		return
	}
	told := map[string]bool{}
	for _, l := range f.Layers {
		if l.All {
			told[l.Layer] = true
		}
		for _, r := range l.Ranges {
			for a := range covered([]tiles.Range{span(r[0], r[1], r[2], r[3], r[4])}) {
				told[fmt.Sprintf("%s %d/%d/%d", l.Layer, a.Z, a.X, a.Y)] = true
			}
		}
	}
	for key := range owed {
		if layer, _, _ := strings.Cut(key, " "); !told[key] && !told[layer] {
			rt.Errorf("%v was not told of %q", v.scope, key)
		}
	}
	for key := range told {
		if !owed[key] {
			rt.Errorf("%v was told of %q", v.scope, key)
		}
	}
}
