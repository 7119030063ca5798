package push

import (
	"context"
	"fmt"
	"testing"
	"time"

	"onemap/auth"
	"onemap/internal/core"
	"onemap/internal/fault"
)

func (l *memLog) revoke(session, account int64) {
	l.append(core.Event{
		Kind: auth.EventSessionRevoked, Subject: fmt.Sprint(account), Roles: []core.Role{core.RoleAdministrator},
		Payload: fmt.Appendf(nil, `{"session_id":%d,"account_id":%d}`, session, account),
	})
}

func TestSessionRevoked(t *testing.T) {
	ho := open(t, fast()).ready()
	one := ho.join(responder370602, "one", "e1", 0)
	other := ho.join(responder370614, "other", "e1", 0)
	silent := ho.connect(responder370602) // has not said hello yet
	ho.log.revoke(responder370602, responder370602)
	// In the same breath: the closed one must not see it.
	after := ho.log.add("alert.issued", "370602", "370614")
	if f := other.event(); f.Seq != after.Seq {
		t.Errorf("the other one got %s", f.raw)
	}
	for {
		f, err := one.read()
		if err != nil {
			break
		}
		if f.Type == typeEvent {
			t.Errorf("after its session ended it was sent %s", f.raw)
		}
	}
	silent.wantClosed(CloseSessionEnded, "session was ended")

	ho.log.revoke(0, responder370614)
	other.wantClosed(CloseSessionEnded, "session was ended")
}

// TestWhatHappensInTheHandshake: from the 101 on, what ends a connection ends also the one whose handshake was going on.
func TestWhatHappensInTheHandshake(t *testing.T) {
	heeded := func(ho *house, e core.Event) {
		until(ho.t, "the hub has read the event", func() bool { return ho.hub.view().head.Seq >= e.Seq })
	}
	for name, c := range map[string]struct {
		meanwhile func(*house)
		code      int
		reason    string
	}{
		"the session is revoked": {func(ho *house) {
			ho.log.revoke(responder370602, responder370602)
			heeded(ho, ho.log.add("alert.issued", "3706"))
		}, CloseSessionEnded, "session was ended"},
		"the account is changed": {func(ho *house) {
			ho.people.set(func(s map[int64]core.Principal) error { delete(s, responder370602); return nil })
			ho.log.append(core.Event{Kind: auth.EventAccountChanged, Subject: fmt.Sprint(responder370602)})
			heeded(ho, ho.log.add("alert.issued", "3706"))
		}, CloseSessionEnded, "has ended"},
		"the log is another one": {func(ho *house) {
			ho.log.restore("e2", 0)
			until(ho.t, "the hub has noticed", func() bool { return ho.hub.view().epoch == "e2" })
		}, CloseResume, "restored"},
		"the server stops": {func(ho *house) {
			go ho.stop()
			until(ho.t, "the hub stops", func() bool {
				ho.hub.mu.RLock()
				defer ho.hub.mu.RUnlock()
				return ho.hub.stage == stageStopped
			})
		}, CloseGoingAway, "stopping"},
	} {
		t.Run(name, func(t *testing.T) {
			ho := open(t, fast()).ready()
			ho.inHandshake = func() { c.meanwhile(ho) }
			ho.connect(responder370602).wantClosed(c.code, c.reason)
			until(t, "its place is free again", func() bool { return ho.connections() == 0 })
		})
	}
}

func TestRevokedByNobodyKnowsWhom(t *testing.T) {
	ho := open(t, fast()).ready()
	p := ho.join(commander, "p", "e1", 0)
	q := ho.join(administrator, "q", "e1", 0)
	ho.people.set(func(s map[int64]core.Principal) error { delete(s, commander); return nil })
	ho.log.append(core.Event{Kind: auth.EventSessionRevoked, Payload: []byte(`{}`)})
	p.wantClosed(CloseSessionEnded, "has ended")
	ho.log.add("alert.issued", "3706")
	q.await("the event after it", func(f frame) bool { return f.Kind == "alert.issued" })
}

func TestAccountChanged(t *testing.T) {
	for name, c := range map[string]struct {
		change func(map[int64]core.Principal) error
		code   int
		reason string
	}{
		"role": {func(s map[int64]core.Principal) error {
			p := s[commander]
			p.Role = core.RoleObserver
			s[commander] = p
			return nil
		}, CloseScopeChanged, "role or division"},
		"division": {func(s map[int64]core.Principal) error {
			p := s[commander]
			p.Division = "370602"
			s[commander] = p
			return nil
		}, CloseScopeChanged, "role or division"},
		"disabled": {func(s map[int64]core.Principal) error { delete(s, commander); return nil }, CloseSessionEnded, "has ended"},
		"forbidden": {func(map[int64]core.Principal) error {
			return fault.New(fault.Forbidden, "disabled")
		}, CloseSessionEnded, "has ended"},
	} {
		for _, subject := range []string{fmt.Sprint(commander), fmt.Sprintf("u%d", commander), ""} {
			t.Run(name+" by "+subject, func(t *testing.T) {
				ho := open(t, fast()).ready()
				p := ho.join(commander, "p", "e1", 0)
				ho.people.set(c.change)
				ho.log.append(core.Event{Kind: auth.EventAccountChanged, Subject: subject, Roles: []core.Role{core.RoleAdministrator}})
				p.wantClosed(c.code, c.reason)
			})
		}
	}
}

// TestAccountChangedNameOnly: a change that leaves the scope leaves the connection.
func TestAccountChangedNameOnly(t *testing.T) {
	ho := open(t, fast()).ready()
	p := ho.join(commander, "p", "e1", 0)
	ho.people.mu.Lock()
	before := ho.people.asked
	ho.people.mu.Unlock()
	ho.log.append(core.Event{Kind: auth.EventAccountChanged, Subject: fmt.Sprint(commander)})
	until(t, "the session was looked up", func() bool {
		ho.people.mu.Lock()
		defer ho.people.mu.Unlock()
		return ho.people.asked > before
	})
	ho.log.add("alert.issued", "3706")
	p.await("the event after it", func(f frame) bool { return f.Kind == "alert.issued" })
}

// TestRevokedBeforeHello: the API may have let in a session that ended a moment ago.
func TestRevokedBeforeHello(t *testing.T) {
	ho := open(t, fast()).ready()
	ho.people.set(func(s map[int64]core.Principal) error { delete(s, commander); return nil })
	p := ho.connect(commander)
	p.say(`{"type":"hello","client":"abcdefgh"}`)
	p.wantClosed(CloseSessionEnded, "has ended")
}

// TestRecheckAway: when nobody can tell, nobody is thrown out; when it is known again, those who have
// ended are.
func TestRecheckAway(t *testing.T) {
	o := fast()
	o.Recheck = 10 * time.Millisecond
	ho := open(t, o).ready()
	ho.people.set(func(map[int64]core.Principal) error { return errAway })
	p := ho.join(commander, "p", "e1", 0)
	ho.log.add("alert.issued", "3706")
	p.event()
	ho.people.set(func(s map[int64]core.Principal) error { delete(s, commander); return nil })
	p.wantClosed(CloseSessionEnded, "has ended")
}

// TestExtensionReachesTheHub: a session that a request extends, here or at another node, is not closed at the time
// that the hub knew first.
func TestExtensionReachesTheHub(t *testing.T) {
	ho := open(t, fast(), func(ho *house) {
		ho.principal[commander].Expires = ho.clock.now().Add(time.Hour)
		ho.people.sessions[commander] = ho.principal[commander]
	}).ready()
	p := ho.join(commander, "p", "e1", 0)
	for range 3 {
		ho.people.set(func(s map[int64]core.Principal) error {
			q := s[commander]
			q.Expires = q.Expires.Add(time.Hour)
			s[commander] = q
			return nil
		})
		ho.clock.advance(time.Hour)
		ho.log.add("alert.issued", "3706")
		p.event()
	}
	ho.clock.advance(time.Hour)
	p.wantClosed(CloseSessionEnded, "expired")
}

// TestUseExtends: a connection whose page is looked at or armed uses its session in time, whatever the session's
// length; one that is only open asks and extends nothing.
func TestUseExtends(t *testing.T) {
	for _, used := range []bool{true, false} {
		t.Run(fmt.Sprint("used: ", used), func(t *testing.T) {
			const ttl = 40 * time.Minute // shorter than Recheck
			ho := open(t, fast(), func(ho *house) {
				ho.principal[commander].Expires = ho.clock.now().Add(ttl)
				ho.people.sessions[commander] = ho.principal[commander]
				ho.parts.Use = func(_ context.Context, id int64) (core.Principal, error) {
					ho.people.mu.Lock()
					defer ho.people.mu.Unlock()
					q := ho.people.sessions[id]
					q.Expires = ho.clock.now().Add(ttl)
					ho.people.sessions[id] = q
					return q, nil
				}
			}).ready()
			p := ho.join(commander, "p", "e1", 0)
			c := ho.only()
			c.using.Store(used)
			for range 5 {
				before := c.expires.Load()
				ho.clock.advance(ttl * 3 / 5)
				if !used {
					continue
				}
				until(t, "the session is extended", func() bool { return c.expires.Load() > before })
			}
			if used {
				ho.log.add("alert.issued", "3706")
				p.event()
				return
			}
			p.wantClosed(CloseSessionEnded, "expired")
		})
	}
}

// only is the hub's one connection.
func (ho *house) only() *client {
	ho.hub.mu.RLock()
	defer ho.hub.mu.RUnlock()
	for c := range ho.hub.conns {
		return c
	}
	ho.t.Fatal("nobody is connected")
	return nil
}

func TestExpiry(t *testing.T) {
	ho := open(t, fast(), func(ho *house) {
		ho.principal[commander].Expires = ho.clock.now().Add(time.Hour)
		ho.people.sessions[commander] = ho.principal[commander]
	}).ready()
	p := ho.join(commander, "p", "e1", 0)
	ho.log.add("alert.issued", "3706")
	p.event()
	ho.clock.advance(time.Hour)
	p.wantClosed(CloseSessionEnded, "expired")
}
