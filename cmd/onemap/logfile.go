package main

import (
	"fmt"
	"os"
	"sync"

	"onemap/internal/fault"
)

// logFile is a log that another program may move away: after Reopen it goes on in a new file of the same name.
type logFile struct {
	path string
	mu   sync.Mutex
	f    *os.File
}

// openLog opens a log to append to, and makes it when there is none.
func openLog(path string) (*logFile, error) {
	f, err := appendTo(path)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "--log")
	}
	return &logFile{path: path, f: f}, nil
}

func appendTo(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// Write implements io.Writer.
func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.f.Write(p)
}

// Reopen opens the path anew. When that fails the log goes on in the old file.
func (l *logFile) Reopen() error {
	f, err := appendTo(l.path)
	if err != nil {
		return fmt.Errorf("open the log anew: %w", err)
	}
	l.mu.Lock()
	old := l.f
	l.f = f
	l.mu.Unlock()
	return old.Close()
}

// Close ends the log.
func (l *logFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.f.Close()
}
