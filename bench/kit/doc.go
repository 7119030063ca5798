// Package kit is what the programs that measure onemap share: flags, a private PostgreSQL cluster, child
// processes, what /proc says of them, a client of the API and of the push protocol, medians, and the
// report with its bars.
package kit
