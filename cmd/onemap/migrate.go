package main

import (
	"context"
	"fmt"

	"onemap/internal/app"
	"onemap/internal/config"
)

// migrateCmd is the subcommand migrate.
type migrateCmd struct {
	config.Database
}

// Run brings the tables of the database up to the version of this program.
func (c *migrateCmd) Run(ctx context.Context, s *session) error {
	url, err := c.URL()
	if err != nil {
		return err
	}
	if err := app.Migrate(ctx, url, s.logger, s.progress.Show); err != nil {
		return err
	}
	s.progress.Done()
	fmt.Println("the tables are up to date")
	return nil
}
