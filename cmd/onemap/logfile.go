package main

import (
	"fmt"
	"os"
	"sync"

	"onemap/internal/fault"
)

// logFile is a log file that can be rotated: another program renames the file, then Reopen continues in a new file with
// the old name. It is safe for concurrent use. mu guards f.
type logFile struct {
	path string
	mu   sync.Mutex
	f    *os.File
}

// openLog opens a log file to append to, and creates it if it does not exist. It returns fault.Invalid if this is not
// possible.
func openLog(path string) (*logFile, error) {
	f, err := appendTo(path)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "--log")
	}
	return &logFile{path: path, f: f}, nil
}

// appendTo opens or creates a file to append to. Only the owner may read it.
func appendTo(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// Write implements io.Writer.
func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.f.Write(p)
}

// Reopen opens the path again and closes the old file. If the path cannot be opened, the log continues in the old file.
func (l *logFile) Reopen() error {
	f, err := appendTo(l.path)
	if err != nil {
		return fmt.Errorf("open the log anew: %w", err)
	}
	// The new file is open before the old one is closed, so no line of the log is lost.
	l.mu.Lock()
	old := l.f
	l.f = f
	l.mu.Unlock()
	return old.Close()
}

// Close closes the file.
func (l *logFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.f.Close()
}
