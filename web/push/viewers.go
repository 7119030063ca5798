package push

import (
	"bytes"
	"cmp"
	"encoding/json"
	"reflect"
	"slices"
	"sync"

	"onemap/internal/core"
)

// viewers builds, for each scope, the frame of the people who have an alert of the scope open. Every frame is the whole
// state; no frame is sent to a scope whose state has not changed.
type viewers struct {
	mu    sync.Mutex
	open  []openAlert
	cache map[core.Scope]scopeViewers
	turn  uint64 // increases with every change of open
}

// openAlert is an alert that at least one client has open.
type openAlert struct {
	place  alertPlace
	people alertViewers
}

// scopeViewers is the last frame of a scope and the turn for which it was built.
type scopeViewers struct {
	turn    uint64
	payload []byte
	msg     *message // nil: no alert of the scope has been open yet
}

// newViewers returns a state without open alerts.
func newViewers() *viewers { return &viewers{cache: make(map[core.Scope]scopeViewers)} }

// take reads the open alerts from the connected clients and reports whether they have changed.
func (v *viewers) take(present []Present) bool {
	byAlert := map[int64]*openAlert{}
	for _, p := range present {
		if p.Status.Alert == 0 {
			continue
		}
		o := byAlert[p.Status.Alert]
		if o == nil {
			o = &openAlert{place: alertPlace{true, p.AlertDivision, p.AlertDivisions}, people: alertViewers{Alert: p.Status.Alert}}
			byAlert[p.Status.Alert] = o
		}
		o.add(alertViewer{User: p.Login, Name: p.Name, Division: p.Division, Acting: p.Status.Acting})
	}
	open := make([]openAlert, 0, len(byAlert))
	for _, o := range byAlert {
		slices.SortFunc(o.people.People, func(a, b alertViewer) int { return cmp.Compare(a.User, b.User) })
		open = append(open, *o)
	}
	slices.SortFunc(open, func(a, b openAlert) int { return cmp.Compare(a.people.Alert, b.people.Alert) })
	v.mu.Lock()
	defer v.mu.Unlock()
	if reflect.DeepEqual(open, v.open) || len(open)+len(v.open) == 0 {
		return false
	}
	v.open = open
	v.turn++
	return true
}

// add adds a person to the alert once. The person is acting if they act on any of their machines.
func (o *openAlert) add(p alertViewer) {
	for i := range o.people.People {
		if known := &o.people.People[i]; known.User == p.User {
			known.Acting = known.Acting || p.Acting
			return
		}
	}
	o.people.People = append(o.people.People, p)
}

// news returns the frame of the client's scope, nil if the client already has it.
func (v *viewers) news(c *client) *message {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.cache[c.scope]
	if s.turn != v.turn {
		s = v.scoped(c.scope, s)
		v.cache[c.scope] = s
	}
	if s.msg == c.viewers {
		return nil
	}
	c.viewers = s.msg
	return s.msg
}

// scoped builds the frame of a scope. It keeps the frame of before if the scope's state has not changed.
func (v *viewers) scoped(scope core.Scope, before scopeViewers) scopeViewers {
	f := viewersFrame{Type: typeViewers, Alerts: []alertViewers{}}
	for _, o := range v.open {
		if scope.Covers(o.place.division) || scope.CoversAny(o.place.divisions) {
			f.Alerts = append(f.Alerts, o.people)
		}
	}
	before.turn = v.turn
	payload := must(json.Marshal(f))
	if (before.msg == nil && len(f.Alerts) == 0) || bytes.Equal(payload, before.payload) {
		return before
	}
	return scopeViewers{turn: v.turn, payload: payload, msg: must(newMessage(typeViewers, payload))}
}
