package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"onemap/internal/app/stores"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb/encoding/ewkb"

	"onemap/catalogue"
	"onemap/internal/core"
	"onemap/tiles/testset"
)

// loadData creates the two layers and fills them by COPY.
func loadData(ctx context.Context, url string, seed uint64, points, polygons int) error {
	ids, err := makeLayers(ctx, url)
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // an error is ignored: the work is committed or has failed
	err = copyFeatures(ctx, conn, ids[pointsLayer], func(each func(*testset.Feature) error) error {
		return testset.Points(seed, points, each)
	})
	if err != nil {
		return err
	}
	err = copyFeatures(ctx, conn, ids[polygonsLayer], func(each func(*testset.Feature) error) error {
		return testset.Polygons(seed, polygons, each)
	})
	if err != nil {
		return err
	}
	// so that autovacuum and the writing of dirty pages do not run during the measurement
	for _, sql := range []string{"vacuum analyze feature", "checkpoint"} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

// makeLayers creates the layers and returns their ids by name.
func makeLayers(ctx context.Context, url string) (map[string]int, error) {
	db, err := stores.Open(ctx, stores.Options{URL: url, MaxConns: 1})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	ids := map[string]int{}
	for _, name := range []string{pointsLayer, polygonsLayer} {
		l, err := catalogue.NewService(db.Catalogue, nil).PutLayer(ctx, core.Operator("bench"), catalogue.Layer{
			Name: name, Theme: catalogue.ThemeRiskPoint, Title: core.Text{ZH: "演示 " + name, EN: "Demo " + name},
			Origin: core.OriginSynthetic, Audience: core.Audience{Kind: core.AudiencePublic}, Source: "benchtiles",
			GeometryType: "Geometry", MaxZoom: 14,
			Fields: []catalogue.Field{{Name: "kind", Type: "string", InTile: true}, {Name: "stock", Type: "number", InTile: true}},
		})
		if err != nil {
			return nil, err
		}
		ids[name] = l.ID
	}
	return ids, nil
}

const copyInto = `copy feature (layer_id, source_key, division_code, name_zh, level, origin, properties, geom) from stdin`

// copyFeatures streams generated features into a layer. It uses the text format of COPY, because the binary format would need
// a codec for geometries.
func copyFeatures(ctx context.Context, conn *pgx.Conn, layer int, generate func(func(*testset.Feature) error) error) error {
	in, out := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		var line []byte
		err := generate(func(f *testset.Feature) error {
			var err error
			if line, err = appendLine(line[:0], layer, f); err != nil {
				return err
			}
			_, err = out.Write(line)
			return err
		})
		_ = out.CloseWithError(err) // always returns nil
	}()
	_, err := conn.PgConn().CopyFrom(ctx, in, copyInto)
	_ = in.Close() // always returns nil; the generator ends, because its next write fails
	<-done
	if err != nil {
		return fmt.Errorf("copy into layer %d: %w", layer, err)
	}
	return nil
}

// appendLine appends a feature as a line in the text format of COPY. The data set contains no character that must be escaped.
func appendLine(line []byte, layer int, f *testset.Feature) ([]byte, error) {
	properties, err := json.Marshal(map[string]any{"kind": f.Kind, "stock": f.Stock})
	if err != nil {
		return nil, fmt.Errorf("feature %s: %w", f.Key, err)
	}
	geom, err := ewkb.MarshalToHex(f.Geometry, 4326)
	if err != nil {
		return nil, fmt.Errorf("feature %s: %w", f.Key, err)
	}
	return fmt.Appendf(line, "%d\t%s\t%s\t%s\t%d\tsynthetic\t%s\t%s\n", layer, f.Key, f.Division, f.Name, f.Level, properties, geom), nil
}
