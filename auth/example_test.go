package auth

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"onemap/internal/core"
	"onemap/internal/fault"
)

// A password is checked by logging in. Failures are counted, and the reply does not say whether the name or the password is wrong.
// The example keeps its accounts in memory; the program keeps them in PostgreSQL.
func ExampleService_Login() {
	ctx := context.Background()
	clock := func() time.Time { return time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC) }
	store := newMemory(clock)
	service := NewService(Options{Params: quick()}, store, store, store, nil, nil, clock)
	root := core.Principal{AccountID: 1, Login: "root", Role: core.RoleAdministrator, Division: "3706"}
	_, err := service.CreateAccount(ctx, root, NewAccount{Login: "wang", Name: "王", Role: core.RoleResponder, Division: "370602", Password: "correct horse battery"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, password := range []string{"a guess", "correct horse battery"} {
		tokens, principal, err := service.Login(ctx, Login{User: "wang", Password: password, Remote: netip.MustParseAddr("192.0.2.1"), Agent: "example"})
		if err != nil {
			fmt.Println(fault.KindOf(err), "|", err)
			continue
		}
		fmt.Println(principal.Login, principal.Role, principal.Division, len(tokens.Session) > 0)
	}
	fmt.Println("may manage accounts:", PermAccounts.Of(core.RoleResponder))
	// Output:
	// unauthenticated | the user name or the password is wrong
	// wang county_responder 370602 true
	// may manage accounts: false
}
