package store_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/prometheus/client_golang/prometheus"

	"onemap/internal/errs"
	"onemap/store"
	"onemap/store/storetest"
)

func TestMapErr(t *testing.T) {
	pg := func(code string) error { return fmt.Errorf("exec: %w", &pgconn.PgError{Code: code, Message: "words"}) }
	at := func(code, file, routine string) error {
		return fmt.Errorf("exec: %w", &pgconn.PgError{Code: code, File: file, Routine: routine, Message: "words"})
	}
	for name, c := range map[string]struct {
		err  error
		kind errs.Kind
	}{
		"file size limit":     {at("XX000", "md.c", "mdextend"), errs.Unavailable},
		"read-only disk":      {at("42501", "md.c", "mdopenfork"), errs.Unavailable},
		"quota of temporary":  {at("XX000", "buffile.c", "BufFileDumpBuffer"), errs.Unavailable},
		"quota of the log":    {at("XX000", "xlog.c", "XLogFileInitInternal"), errs.Unavailable},
		"quota of a sort":     {at("XX000", "logtape.c", "ltsWriteBlock"), errs.Unavailable},
		"quota of pg_xact":    {at("XX000", "slru.c", "SlruReportIOError"), errs.Unavailable},
		"a bug, not the disk": {at("XX000", "execMain.c", "ExecutePlan"), errs.Internal},
		"a bug in a buffer":   {at("XX000", "buffile.c", "BufFileSeek"), errs.Internal},
		"a bug in the log":    {at("XX000", "xlog.c", "XLogInsertRecord"), errs.Internal},
		"a corrupt page":      {at("XX001", "bufmgr.c", "ReadBuffer_common"), errs.Internal},
		"no right to a table": {at("42501", "aclchk.c", "aclcheck_error"), errs.Internal},
		"unique":              {pg("23505"), errs.Conflict},
		"immutable":           {pg("23001"), errs.Conflict},
		"foreign key":         {pg("23503"), errs.Invalid},
		"check":               {pg("23514"), errs.Invalid},
		"encoding":            {pg("22021"), errs.Invalid},
		"lock timeout":        {pg("55P03"), errs.Unavailable},
		"deadlock":            {pg("40P01"), errs.Unavailable},
		"serialization":       {pg("40001"), errs.Unavailable},
		"admin shutdown":      {pg("57P01"), errs.Unavailable},
		"starting up":         {pg("57P03"), errs.Unavailable},
		"too many clients":    {pg("53300"), errs.Unavailable},
		"disk full":           {pg("53100"), errs.Unavailable},
		"read only":           {pg("25006"), errs.Unavailable},
		"connection":          {pg("08006"), errs.Unavailable},
		"our own bad SQL":     {pg("42601"), errs.Internal},
		"no code":             {pg(""), errs.Internal},
		"no rows":             {pgx.ErrNoRows, errs.NotFound},
		"cut off":             {fmt.Errorf("read: %w", io.ErrUnexpectedEOF), errs.Unavailable},
		"deadline":            {context.DeadlineExceeded, errs.Unavailable},
		"given up by caller":  {context.Canceled, errs.Internal},
		"classified already":  {errs.New(errs.Forbidden, "no"), errs.Forbidden},
		"classified below it": {fmt.Errorf("x: %w", errs.New(errs.TooMany, "no")), errs.TooMany},
		"anything else":       {errors.New("surprise"), errs.Internal},
	} {
		for _, what := range []string{"", "do a thing"} {
			got := store.MapErr(c.err, what)
			if errs.KindOf(got) != c.kind || !errors.Is(got, c.err) || !strings.HasPrefix(got.Error(), what) {
				t.Errorf("%s: %v is %v, want %v", name, got, errs.KindOf(got), c.kind)
			}
		}
	}
	if store.MapErr(nil, "x") != nil {
		t.Error("nil becomes an error")
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	_, err := store.Open(t.Context(), store.Options{URL: "postgres://u:geheim@host:notaport/db"})
	if !errs.Is(err, errs.Invalid) || strings.Contains(err.Error(), "geheim") {
		t.Errorf("a bad address: %v", err)
	}
	_, err = store.Open(t.Context(), store.Options{URL: "postgres:///db?host=" + t.TempDir()})
	if !errs.Is(err, errs.Unavailable) {
		t.Errorf("nobody there: %v", err)
	}
	if err := store.Migrate(t.Context(), "postgres:///db?host="+t.TempDir(), nil); !errs.Is(err, errs.Unavailable) {
		t.Errorf("nobody there to migrate: %v", err)
	}
	gone := strings.Replace(storetest.NewURL(t), "/t", "/no_such_t", 1)
	if _, err = store.Open(t.Context(), store.Options{URL: gone}); !errs.Is(err, errs.Unavailable) {
		t.Errorf("no such database: %v", err)
	}
}

// A server that ends its connections is unavailable, and is there again with the next call.
func TestConnectionsAreReplaced(t *testing.T) {
	url := storetest.NewURL(t)
	reg := prometheus.NewRegistry()
	db, err := store.Open(t.Context(), store.Options{URL: url, MaxConns: 1, Registerer: reg})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	families, err := reg.Gather()
	if err != nil || len(families) < 4 {
		t.Errorf("metrics: %v %v", families, err)
	}
	const kill = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
	if _, err := connect(t, url).Exec(t.Context(), kill); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Layers(t.Context(), city); err != nil && !errs.Is(err, errs.Unavailable) {
		t.Errorf("cut off: %v", err)
	}
	if _, err := db.Layers(t.Context(), city); err != nil {
		t.Errorf("after that: %v", err)
	}
	db.Close()
	if err := db.Ping(t.Context()); !errs.Is(err, errs.Unavailable) {
		t.Errorf("a closed store: %v", err)
	}
}
