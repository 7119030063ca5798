// Package kit is shared by the programs that measure onemap. It has flags, a private PostgreSQL cluster, child processes, the
// statistics of /proc, clients of the API and of the push protocol, medians, and the report with its bars. A bar is a limit
// that a measured value must reach.
package kit
