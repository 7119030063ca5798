// Package ui holds the built pages, so that the binary serves them by itself. The sources are
// beside it; `make ui` builds them into dist, which is empty in a fresh clone.
package ui

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Files is the built UI with index.html at its root; without a build there is no index.html.
func Files() (fs.FS, error) { return fs.Sub(dist, "dist") }
