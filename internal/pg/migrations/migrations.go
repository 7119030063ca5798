// Package migrations embeds the numbered SQL files that make onemap's tables.
package migrations

import "embed"

// Files are NNN_name.sql, numbered from 001 without gaps, each run once in a transaction. tern reads
// them as Go templates: a literal {{ and its "create above / drop below" line have a meaning there.
//
//go:embed *.sql
var Files embed.FS
