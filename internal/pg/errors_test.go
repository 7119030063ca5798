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

	"onemap/internal/fault"
	"onemap/internal/pg"
)

func TestMapErr(t *testing.T) {
	code := func(code string) error { return fmt.Errorf("exec: %w", &pgconn.PgError{Code: code, Message: "words"}) }
	at := func(code, file, routine string) error {
		return fmt.Errorf("exec: %w", &pgconn.PgError{Code: code, File: file, Routine: routine, Message: "words"})
	}
	for name, c := range map[string]struct {
		err  error
		kind fault.Kind
	}{
		"file size limit":     {at("XX000", "md.c", "mdextend"), fault.Unavailable},
		"read-only disk":      {at("42501", "md.c", "mdopenfork"), fault.Unavailable},
		"quota of temporary":  {at("XX000", "buffile.c", "BufFileDumpBuffer"), fault.Unavailable},
		"quota of the log":    {at("XX000", "xlog.c", "XLogFileInitInternal"), fault.Unavailable},
		"quota of a sort":     {at("XX000", "logtape.c", "ltsWriteBlock"), fault.Unavailable},
		"quota of pg_xact":    {at("XX000", "slru.c", "SlruReportIOError"), fault.Unavailable},
		"a bug, not the disk": {at("XX000", "execMain.c", "ExecutePlan"), fault.Internal},
		"a bug in a buffer":   {at("XX000", "buffile.c", "BufFileSeek"), fault.Internal},
		"a bug in the log":    {at("XX000", "xlog.c", "XLogInsertRecord"), fault.Internal},
		"a corrupt page":      {at("XX001", "bufmgr.c", "ReadBuffer_common"), fault.Internal},
		"no right to a table": {at("42501", "aclchk.c", "aclcheck_error"), fault.Internal},
		"unique":              {code("23505"), fault.Conflict},
		"immutable":           {code("23001"), fault.Conflict},
		"foreign key":         {code("23503"), fault.Invalid},
		"check":               {code("23514"), fault.Invalid},
		"encoding":            {code("22021"), fault.Invalid},
		"lock timeout":        {code("55P03"), fault.Unavailable},
		"deadlock":            {code("40P01"), fault.Unavailable},
		"serialization":       {code("40001"), fault.Unavailable},
		"admin shutdown":      {code("57P01"), fault.Unavailable},
		"starting up":         {code("57P03"), fault.Unavailable},
		"too many clients":    {code("53300"), fault.Unavailable},
		"disk full":           {code("53100"), fault.Unavailable},
		"read only":           {code("25006"), fault.Unavailable},
		"connection":          {code("08006"), fault.Unavailable},
		"our own bad SQL":     {code("42601"), fault.Internal},
		"no code":             {code(""), fault.Internal},
		"no rows":             {pgx.ErrNoRows, fault.NotFound},
		"cut off":             {fmt.Errorf("read: %w", io.ErrUnexpectedEOF), fault.Unavailable},
		"deadline":            {context.DeadlineExceeded, fault.Unavailable},
		"given up by caller":  {context.Canceled, fault.Internal},
		"classified already":  {fault.New(fault.Forbidden, "no"), fault.Forbidden},
		"classified below it": {fmt.Errorf("x: %w", fault.New(fault.TooMany, "no")), fault.TooMany},
		"anything else":       {errors.New("surprise"), fault.Internal},
	} {
		for _, what := range []string{"", "do a thing"} {
			got := pg.MapErr(c.err, what)
			if fault.KindOf(got) != c.kind || !errors.Is(got, c.err) || !strings.HasPrefix(got.Error(), what) {
				t.Errorf("%s: %v is %v, want %v", name, got, fault.KindOf(got), c.kind)
			}
		}
	}
	if pg.MapErr(nil, "x") != nil {
		t.Error("nil becomes an error")
	}
}
