package pg_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"onemap/internal/errs"
	"onemap/internal/pg"
)

func TestMapErr(t *testing.T) {
	code := func(code string) error { return fmt.Errorf("exec: %w", &pgconn.PgError{Code: code, Message: "words"}) }
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
		"unique":              {code("23505"), errs.Conflict},
		"immutable":           {code("23001"), errs.Conflict},
		"foreign key":         {code("23503"), errs.Invalid},
		"check":               {code("23514"), errs.Invalid},
		"encoding":            {code("22021"), errs.Invalid},
		"lock timeout":        {code("55P03"), errs.Unavailable},
		"deadlock":            {code("40P01"), errs.Unavailable},
		"serialization":       {code("40001"), errs.Unavailable},
		"admin shutdown":      {code("57P01"), errs.Unavailable},
		"starting up":         {code("57P03"), errs.Unavailable},
		"too many clients":    {code("53300"), errs.Unavailable},
		"disk full":           {code("53100"), errs.Unavailable},
		"read only":           {code("25006"), errs.Unavailable},
		"connection":          {code("08006"), errs.Unavailable},
		"our own bad SQL":     {code("42601"), errs.Internal},
		"no code":             {code(""), errs.Internal},
		"no rows":             {pgx.ErrNoRows, errs.NotFound},
		"cut off":             {fmt.Errorf("read: %w", io.ErrUnexpectedEOF), errs.Unavailable},
		"deadline":            {context.DeadlineExceeded, errs.Unavailable},
		"given up by caller":  {context.Canceled, errs.Internal},
		"classified already":  {errs.New(errs.Forbidden, "no"), errs.Forbidden},
		"classified below it": {fmt.Errorf("x: %w", errs.New(errs.TooMany, "no")), errs.TooMany},
		"anything else":       {errors.New("surprise"), errs.Internal},
	} {
		for _, what := range []string{"", "do a thing"} {
			got := pg.MapErr(c.err, what)
			if errs.KindOf(got) != c.kind || !errors.Is(got, c.err) || !strings.HasPrefix(got.Error(), what) {
				t.Errorf("%s: %v is %v, want %v", name, got, errs.KindOf(got), c.kind)
			}
		}
	}
	if pg.MapErr(nil, "x") != nil {
		t.Error("nil becomes an error")
	}
}
