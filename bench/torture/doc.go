// Package torture contains the tests that break what onemap depends on while devices publish: the server, PostgreSQL, its
// disk, its connections, an external broker, the clocks of the devices and their data. Each test compares what was
// acknowledged with what is stored. `go test` runs them at a small size, `make torture` at full size.
package torture
