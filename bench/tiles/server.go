package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"

	"github.com/jackc/pgx/v5"

	"onemap/bench/kit"
	"onemap/internal/core"
	"onemap/tiles"
)

// server is a running `onemap serve`.
type server struct {
	*kit.Server
	db   string // URL of the database
	main *kit.Session
}

// startServer starts `onemap serve` with additional flags, waits until it is ready, and logs in.
func (b *bench) startServer(ctx context.Context, db string, flags ...string) (*server, error) {
	started, err := kit.StartServer(ctx, b.o.Onemap, db, append([]string{"--mqtt=127.0.0.1:0"}, flags...)...)
	if err != nil {
		return nil, err
	}
	s := &server{Server: started, db: db}
	if s.main, err = s.Login(ctx, loginMain, b.password); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// layers returns the state of the two layers.
func (s *server) layers(ctx context.Context) (map[string]tiles.LayerState, error) {
	status, a, err := s.Fetch(ctx, http.MethodGet, "/api/v1/tiles/layers", s.main.Cookie, nil)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("the layers' health: status %d: %.200s", status, a.Body)
	}
	var list struct{ Items []tiles.LayerState }
	if err := json.Unmarshal(a.Body, &list); err != nil {
		return nil, fmt.Errorf("the layers' health: %w", err)
	}
	out := map[string]tiles.LayerState{}
	for _, l := range list.Items {
		out[l.Layer] = l
	}
	if _, both := out[polygonsLayer]; !both || len(out) != 2 {
		return nil, fmt.Errorf("the server has %d layers, not the two of the data set", len(out))
	}
	return out, nil
}

// draw sets the tile rules of both layers by SQL, and waits until the server uses them.
func (s *server) draw(ctx context.Context, rules core.TileRules) error {
	text, err := json.Marshal(rules)
	if err != nil {
		return fmt.Errorf("the rules: %w", err)
	}
	if err := execOnce(ctx, s.db, "update layer set tile = $1", string(text)); err != nil {
		return fmt.Errorf("set the rules: %w", err)
	}
	source := rules.Source
	if source == "" {
		source = core.TileSourceMemory
	}
	return s.Eventually(ctx, "both layers are drawn from "+source, func() (bool, error) {
		all, err := s.layers(ctx)
		if err != nil {
			return false, err
		}
		for _, l := range all {
			if l.Source != source || !reflect.DeepEqual(l.Rules, rules) {
				return false, nil
			}
		}
		return true, nil
	})
}

// execOnce runs one statement on a separate connection.
func execOnce(ctx context.Context, db, sql string, args ...any) error {
	conn, err := pgx.Connect(ctx, db)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	_, err = conn.Exec(ctx, sql, args...)
	return errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
}
