package auth

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"

	"onemap/internal/core"
	"onemap/internal/fault"
)

// memory keeps people in memory, for tests of the domain; the real store's tests are its own, and the
// API's tests put the two together.
type memory struct {
	mu       sync.Mutex
	accounts []Credentials
	sessions []Session
	tokens   [][]byte
	displays []Display
	links    [][]byte
	failures map[LoginKey]Failures
	owners   map[LoginKey]LoginKey
	callers  map[caller]bool
	listed   []FailedAttempt
	touched  int
	away     bool
	now      func() time.Time
}

// caller is a device or an address that an account has logged in from.
type caller struct {
	account int64
	key     LoginKey
}

func newMemory(now func() time.Time) *memory {
	return &memory{now: now, failures: map[LoginKey]Failures{}, owners: map[LoginKey]LoginKey{}, callers: map[caller]bool{}}
}

func (m *memory) enter() (func(), error) {
	m.mu.Lock()
	if m.away {
		m.mu.Unlock()
		return nil, fault.New(fault.Unavailable, "the database is away")
	}
	return m.mu.Unlock, nil
}

func (m *memory) CredentialsByLogin(_ context.Context, login string) (Credentials, error) {
	leave, err := m.enter()
	if err != nil {
		return Credentials{}, err
	}
	defer leave()
	for _, c := range m.accounts {
		if c.Login == login {
			return c, nil
		}
	}
	return Credentials{}, fault.New(fault.NotFound, "there is no such account")
}

func (m *memory) LoginFacts(_ context.Context, q LoginQuery) (LoginFacts, error) {
	leave, err := m.enter()
	if err != nil {
		return LoginFacts{}, err
	}
	defer leave()
	f := LoginFacts{Failures: map[LoginKey]Failures{}}
	for _, key := range q.Keys {
		if n, ok := m.failures[key]; ok {
			f.Failures[key] = n
		}
	}
	for caller := range m.callers {
		f.KnownDevice = f.KnownDevice || caller.key == q.Device
	}
	for _, c := range m.accounts {
		if c.Login == q.Login {
			f.Known, f.Credentials = true, c
			f.FamiliarDevice = m.callers[caller{c.ID, q.Device}]
			f.FamiliarAddress = m.callers[caller{c.ID, q.Address}]
		}
	}
	return f, nil
}

func (m *memory) LoginFailed(_ context.Context, a FailedAttempt) ([]Failures, error) {
	leave, err := m.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	m.listed = append(m.listed, a)
	var counts []Failures
	for _, c := range a.Counts {
		old := m.failures[c.Key]
		left := limit{forget: c.Forget}.left(old, a.At)
		m.failures[c.Key] = Failures{min(left+1, c.Highest), a.At}
		m.owners[c.Key] = c.Account
		counts = append(counts, m.failures[c.Key])
	}
	return counts, nil
}

func (m *memory) LoginSucceeded(_ context.Context, s Success) error {
	leave, err := m.enter()
	if err != nil {
		return err
	}
	defer leave()
	for _, key := range s.Callers {
		m.callers[caller{s.AccountID, key}] = true
	}
	delete(m.failures, s.Caller)
	m.accounts[s.AccountID-1].LastLogin, m.accounts[s.AccountID-1].LastRemote = &s.At, s.Remote
	return nil
}

func (m *memory) ForgetFailures(_ context.Context, key LoginKey) error {
	leave, err := m.enter()
	if err != nil {
		return err
	}
	defer leave()
	for k := range m.failures {
		if k == key || m.owners[k] == key {
			delete(m.failures, k)
		}
	}
	return nil
}

func (m *memory) FailedLogins(context.Context, FailedLoginFilter) ([]FailedLogin, error) {
	leave, err := m.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	var all []FailedLogin
	for i, a := range m.listed {
		all = append(all, FailedLogin{ID: int64(i + 1), At: a.At, User: a.User, Known: a.AccountID != 0, Remote: a.Remote, Reason: a.Reason, Attempts: 1})
	}
	return all, nil
}

func (m *memory) ChangePassword(_ context.Context, c PasswordHashChange) error {
	leave, err := m.enter()
	if err != nil {
		return err
	}
	defer leave()
	account := &m.accounts[c.AccountID-1]
	if account.PasswordHash != c.Was {
		return fault.NewCoded(fault.Conflict, "", CodePasswordMeanwhile)
	}
	account.PasswordHash = c.Becomes
	at := m.now()
	for i := range m.sessions {
		if s := &m.sessions[i]; s.AccountID == c.AccountID && s.ID != c.Keep {
			s.RevokedAt = &at
		}
	}
	return nil
}

func (m *memory) CreateSession(_ context.Context, s Session, sum []byte) (int64, error) {
	leave, err := m.enter()
	if err != nil {
		return 0, err
	}
	defer leave()
	s.ID = int64(len(m.sessions) + 1)
	m.sessions = append(m.sessions, s)
	m.tokens = append(m.tokens, sum)
	return s.ID, nil
}

func (m *memory) SessionByToken(_ context.Context, sum []byte) (Session, Account, error) {
	leave, err := m.enter()
	if err != nil {
		return Session{}, Account{}, err
	}
	defer leave()
	for i, s := range m.sessions {
		if bytes.Equal(m.tokens[i], sum) {
			return s, m.accounts[s.AccountID-1].Account, nil
		}
	}
	return Session{}, Account{}, fault.New(fault.NotFound, "there is no such session")
}

func (m *memory) TouchSession(_ context.Context, id int64, at, expires time.Time) error {
	leave, err := m.enter()
	if err != nil {
		return err
	}
	defer leave()
	m.sessions[id-1].LastSeen, m.sessions[id-1].ExpiresAt = at, expires
	m.touched++
	return nil
}

func (m *memory) RevokeSessions(_ context.Context, account, id int64, _ string) error {
	leave, err := m.enter()
	if err != nil {
		return err
	}
	defer leave()
	at := m.now()
	for i := range m.sessions {
		if s := &m.sessions[i]; s.AccountID == account && (id == 0 || s.ID == id) {
			s.RevokedAt = &at
		}
	}
	return nil
}

func (m *memory) Accounts(context.Context) ([]Account, error) {
	leave, err := m.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	var all []Account
	for _, c := range m.accounts {
		all = append(all, c.Account)
	}
	return all, nil
}

func (m *memory) CreateAccount(_ context.Context, a Account, hash, _ string) (Account, error) {
	leave, err := m.enter()
	if err != nil {
		return Account{}, err
	}
	defer leave()
	if slices.ContainsFunc(m.accounts, func(c Credentials) bool { return c.Login == a.Login }) {
		return Account{}, fault.New(fault.Conflict, "the login is taken")
	}
	a.ID, a.Version = int64(len(m.accounts)+1), 1
	m.accounts = append(m.accounts, Credentials{Account: a, PasswordHash: hash})
	return a, nil
}

func (m *memory) UpdateAccount(_ context.Context, a Account, hash string, ifVersion int64, _ string) (Account, error) {
	leave, err := m.enter()
	if err != nil {
		return Account{}, err
	}
	defer leave()
	c := &m.accounts[a.ID-1]
	if c.Version != ifVersion {
		return Account{}, fault.New(fault.Precondition, "somebody was faster")
	}
	a.Version++
	c.Account = a
	if hash != "" {
		c.PasswordHash = hash
	}
	return a, nil
}

func (m *memory) Sessions(_ context.Context, account int64, _ core.Page) ([]Session, error) {
	leave, err := m.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	return slices.DeleteFunc(slices.Clone(m.sessions), func(s Session) bool { return s.AccountID != account }), nil
}

// clock is a clock that tests move.
type clock struct{ t time.Time }

func (c *clock) now() time.Time       { return c.t }
func (c *clock) pass(d time.Duration) { c.t = c.t.Add(d) }
func quick() *argon2id.Params {
	return &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}
}
func admin(division string) core.Principal {
	return core.Principal{AccountID: 1000, Login: "root", Role: core.RoleAdministrator, Division: division}
}

const secret = "correct horse battery"

// newService has a commander and a responder of 370602, both with the password secret.
func newService(t *testing.T, o Options) (*Service, *memory, *clock) {
	t.Helper()
	c := &clock{time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC)}
	m := newMemory(c.now)
	o.Params = quick()
	v := NewService(o, m, m, m, nil, nil, c.now)
	for _, n := range []NewAccount{
		{Login: "commander", Name: "指挥长", Role: core.RoleCommander, Division: "3706", Password: secret},
		{Login: "r370602", Name: "芝罘区", Role: core.RoleResponder, Division: "370602", Password: secret},
	} {
		if _, err := v.CreateAccount(t.Context(), admin("3706"), n); err != nil {
			t.Fatal(err)
		}
	}
	return v, m, c
}

func (m *memory) SessionByID(_ context.Context, id int64) (Session, Account, error) {
	leave, err := m.enter()
	if err != nil {
		return Session{}, Account{}, err
	}
	defer leave()
	for _, s := range m.sessions {
		if s.ID == id {
			return s, m.accounts[s.AccountID-1].Account, nil
		}
	}
	return Session{}, Account{}, fault.New(fault.NotFound, "there is no such session")
}

// The displays of the store: the one kept in memory is made and claimed by its link.
func (m *memory) Displays(_ context.Context, s core.Scope, _ core.Page) ([]Display, error) {
	leave, err := m.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	return slices.DeleteFunc(slices.Clone(m.displays), func(d Display) bool { return !s.Covers(d.Division) }), nil
}

func (m *memory) DisplayByID(_ context.Context, id int64) (Display, error) {
	leave, err := m.enter()
	if err != nil {
		return Display{}, err
	}
	defer leave()
	for _, d := range m.displays {
		if d.ID == id {
			return d, nil
		}
	}
	return Display{}, fault.New(fault.NotFound, "there is no such display")
}

func (m *memory) CreateDisplay(_ context.Context, d Display, link []byte, _ string) (Display, error) {
	leave, err := m.enter()
	if err != nil {
		return d, err
	}
	defer leave()
	d.ID, d.AccountID = int64(len(m.displays)+1), int64(len(m.accounts)+1)
	m.accounts = append(m.accounts, Credentials{Account: Account{
		ID: d.AccountID, Login: "display: " + d.Name, Name: d.Name, Role: d.Role(), Division: d.Division, Display: d.ID,
	}})
	m.displays, m.links = append(m.displays, d), append(m.links, link)
	return d, nil
}

func (m *memory) RenewLink(_ context.Context, id int64, link []byte, expires time.Time, _ string) (Display, error) {
	leave, err := m.enter()
	if err != nil {
		return Display{}, err
	}
	defer leave()
	m.links[id-1], m.displays[id-1].LinkExpires = link, &expires
	return m.displays[id-1], nil
}

func (m *memory) DisplayByLink(_ context.Context, link []byte, now time.Time) (Display, error) {
	leave, err := m.enter()
	if err != nil {
		return Display{}, err
	}
	defer leave()
	for i, d := range m.displays {
		if bytes.Equal(m.links[i], link) && d.RevokedAt == nil && now.Before(*d.LinkExpires) {
			return d, nil
		}
	}
	return Display{}, fault.NewCoded(fault.NotFound, "", CodeLinkUsed)
}

func (m *memory) ClaimLink(ctx context.Context, link []byte, s Session, sum []byte, now time.Time) (Session, Account, error) {
	d, err := m.DisplayByLink(ctx, link, now)
	if err != nil {
		return s, Account{}, err
	}
	if err := m.RevokeSessions(ctx, d.AccountID, 0, ""); err != nil {
		return s, Account{}, err
	}
	s.AccountID = d.AccountID
	if s.ID, err = m.CreateSession(ctx, s, sum); err != nil {
		return s, Account{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.links[d.ID-1] = nil
	return s, m.accounts[d.AccountID-1].Account, nil
}

func (m *memory) RevokeDisplay(ctx context.Context, id int64, actor string) error {
	now := m.now()
	m.displays[id-1].RevokedAt, m.links[id-1] = &now, nil
	return m.RevokeSessions(ctx, m.displays[id-1].AccountID, 0, actor)
}
