package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"

	"onemap/internal/app"
	"onemap/internal/config"
	"onemap/internal/core"
	"onemap/internal/fault"
)

// userCmd is the subcommand user with its own subcommands. They work on the database directly, so the first account can
// be made before anybody can log in.
type userCmd struct {
	Add    userAddCmd    `cmd:"" help:"Make an account. The password is asked for, or read from ONEMAP_PASSWORD or ONEMAP_PASSWORD_FILE."`
	Passwd userPasswdCmd `cmd:"" help:"Set an account's password and end its sessions."`
	List   userListCmd   `cmd:"" help:"List the accounts."`
}

// userAddCmd is the subcommand user add.
type userAddCmd struct {
	config.Database
	Login    string `arg:"" help:"Login: a-z, 0-9, dot, dash, underscore."`
	Name     string `help:"The person's name; the login when not given."`
	Role     string `help:"city_commander, county_responder, data_steward, observer or administrator." required:"" enum:"city_commander,county_responder,data_steward,observer,administrator"`
	Division string `help:"Division code: the city's, or a county's for its responders." default:"3706"`
}

// Run creates the account.
func (c *userAddCmd) Run(ctx context.Context, s *session) error {
	password, err := askPassword()
	if err != nil {
		return err
	}
	return withAccounts(ctx, s, c.Database, func(a *app.Accounts) error {
		name := c.Name
		if name == "" {
			name = c.Login
		}
		if err := a.Add(ctx, c.Login, name, core.Role(c.Role), c.Division, password); err != nil {
			return err
		}
		fmt.Printf("added %s: %s of %s\n", c.Login, c.Role, c.Division)
		return nil
	})
}

// userPasswdCmd is the subcommand user passwd.
type userPasswdCmd struct {
	config.Database
	Login string `arg:"" help:"The account's login."`
}

// Run sets the password of the account. All sessions of the account end.
func (c *userPasswdCmd) Run(ctx context.Context, s *session) error {
	password, err := askPassword()
	if err != nil {
		return err
	}
	return withAccounts(ctx, s, c.Database, func(a *app.Accounts) error {
		if err := a.SetPassword(ctx, c.Login, password); err != nil {
			return err
		}
		fmt.Printf("the password of %s is changed and its sessions are ended\n", c.Login)
		return nil
	})
}

// userListCmd is the subcommand user list.
type userListCmd struct {
	config.Database
}

// Run prints the accounts as a table.
func (c *userListCmd) Run(ctx context.Context, s *session) error {
	return withAccounts(ctx, s, c.Database, func(a *app.Accounts) error {
		all, err := a.List(ctx)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "USER\tROLE\tDIVISION\tSTATE\tNAME")
		for _, u := range all {
			state := "active"
			if u.Disabled {
				state = "disabled"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", u.Login, u.Role, u.Division, state, u.Name)
		}
		return w.Flush()
	})
}

// withAccounts calls f with the accounts of the database and closes the connection afterwards.
func withAccounts(ctx context.Context, s *session, d config.Database, f func(*app.Accounts) error) error {
	url, err := d.URL()
	if err != nil {
		return err
	}
	a, err := app.OpenAccounts(ctx, url, s.logger)
	if err != nil {
		return err
	}
	defer a.Close()
	return f(a)
}

// askPassword returns a password from the first of these sources: the variable ONEMAP_PASSWORD, the file that
// ONEMAP_PASSWORD_FILE names, the terminal (typed twice, without echo), or the first line of standard input. There is
// no flag for it, because other users of the machine can see the arguments of a process. It returns fault.Invalid if
// the file cannot be read or the two typed passwords differ.
func askPassword() (string, error) {
	if p, ok := os.LookupEnv("ONEMAP_PASSWORD"); ok {
		return p, nil
	}
	if f, ok := os.LookupEnv("ONEMAP_PASSWORD_FILE"); ok {
		b, err := os.ReadFile(f)
		if err != nil {
			return "", fault.Wrap(fault.Invalid, err, "ONEMAP_PASSWORD_FILE cannot be read")
		}
		return strings.TrimRight(string(b), "\r\n"), nil
	}
	// Without a terminal, such as in a script, the first line of standard input is the password.
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) {
		line, err := bufio.NewReader(os.Stdin).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read the password: %w", err)
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	var typed [2]string
	for i, prompt := range []string{"Password: ", "Once more: "} {
		fmt.Fprint(os.Stderr, prompt)
		b, err := term.ReadPassword(fd)
		fmt.Fprintln(os.Stderr)
		if err != nil {
			return "", fmt.Errorf("read the password: %w", err)
		}
		typed[i] = string(b)
	}
	if typed[0] != typed[1] {
		return "", fault.InvalidField("password", "the two are not the same")
	}
	return typed[0], nil
}
