// Package torture holds the tests that break what onemap stands on while devices publish: the server,
// PostgreSQL, its disk, its connections, an external broker, the devices' clocks and what they send.
// Each compares what was acknowledged with what is stored. `go test` runs them at a small size,
// `make torture` at full size.
package torture
