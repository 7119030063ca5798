package main

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"time"

	"onemap/bench/kit"
)

// serveBare serves recorded responses from a map until ctx ends. Its http.Server has the same settings as onemap's. So it
// measures the cost of net/http alone.
func serveBare(ctx context.Context, file string, out io.Writer) error {
	prepared, err := readAnswers(file)
	if err != nil {
		return err
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	srv := &http.Server{
		Handler: bareHandler(prepared), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 60 * time.Second,
		WriteTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}
	fmt.Fprintf(out, "the bare handler serves %s\n", ln.Addr())
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	select {
	case err = <-ended:
	case <-ctx.Done():
		err = errors.Join(srv.Close(), <-ended)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve: %w", err)
}

// bareHandler answers each path with its recorded response.
func bareHandler(prepared map[string]kit.Answer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := prepared[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		maps.Copy(w.Header(), a.Header)
		_, _ = w.Write(a.Body) // an error means that the client has disconnected
	})
}

// writeAnswers writes the responses to a file for serveBare. It removes the Date header, which net/http sets for each
// response.
func writeAnswers(file string, all []kit.Answer) error {
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("keep the answers: %w", err)
	}
	for i := range all {
		all[i].Header.Del("Date")
	}
	return errors.Join(gob.NewEncoder(f).Encode(all), f.Close())
}

// readAnswers reads the file of writeAnswers and returns the responses by path.
func readAnswers(file string) (map[string]kit.Answer, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("-bare: %w", err)
	}
	defer func() { _ = f.Close() }() // the file was only read
	var all []kit.Answer
	if err := gob.NewDecoder(f).Decode(&all); err != nil {
		return nil, fmt.Errorf("-bare: %w", err)
	}
	out := make(map[string]kit.Answer, len(all))
	for _, a := range all {
		out[a.Path] = a
	}
	return out, nil
}
