package storetest

import (
	"testing"
	"time"

	"onemap/auth"
	"onemap/internal/app/stores"
	"onemap/internal/core"
)

// NewSession stores a session of an account that began at Noon. By the real clock it has expired.
func NewSession(t testing.TB, db *stores.Stores, account int64, token string) int64 {
	t.Helper()
	id, err := db.Auth.CreateSession(t.Context(), auth.Session{
		AccountID: account, CreatedAt: Noon(), ExpiresAt: Noon().Add(12 * time.Hour), Remote: "127.0.0.1", Agent: "test\x00",
	}, []byte(token))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// NewAccount stores an account without a password.
func NewAccount(t testing.TB, db *stores.Stores, login string, role core.Role, division string) auth.Account {
	t.Helper()
	a, err := db.Auth.CreateAccount(t.Context(), auth.Account{Login: login, Name: "演示-" + login, Role: role, Division: division}, "hash", "admin")
	if err != nil {
		t.Fatal(err)
	}
	return a
}
