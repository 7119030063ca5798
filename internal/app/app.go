// Package app builds the whole server from its options, starts it, and stops it in reverse order.
package app
