package pg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"

	"onemap/internal/fault"
)

// kindsByCode maps SQLSTATEs, first the complete code and then its class (two characters), to kinds. Source: PostgreSQL
// manual, appendix A.
func kindsByCode(code string) (fault.Kind, bool) {
	switch code {
	case "23505", "23P01", "23001": // unique, exclusion and restrict violations
		return fault.Conflict, true
	case "40001", "40P01", // serialization failure, deadlock
		"55P03",                            // lock not available, and lock_timeout
		"57014",                            // query cancelled, and statement_timeout
		"57P01", "57P02", "57P03", "57P05", // admin shutdown, crash shutdown, starting up, idle timeout
		"25006", // read-only transaction: this is a replica that is not promoted yet
		"3D000": // no such database
		return fault.Unavailable, true
	}
	if len(code) < 2 {
		return fault.Internal, false
	}
	switch code[:2] {
	case "08", "53", "58", "28": // connection, resources, disk, login of onemap itself
		return fault.Unavailable, true
	case "22", "23": // an invalid value: not null, check, foreign key, encoding
		return fault.Invalid, true
	}
	return fault.Internal, false
}

// refusedByStorage reports whether the operating system refused to write or open a file of the database. PostgreSQL has a
// SQLSTATE for a full disk. But it reports a quota or a limit of the file size (EDQUOT, EFBIG) as an internal error, and a
// read-only file system (EROFS) as a missing privilege. The places checked here raise these two codes only for files. Source:
// PostgreSQL, src/backend/utils/error/elog.c, errcode_for_file_access. All three are handled like a full disk.
func refusedByStorage(pg *pgconn.PgError) bool {
	if pg.Code != "XX000" && pg.Code != "42501" {
		return false
	}
	switch pg.File {
	case "md.c", "fd.c": // tables, indexes and temporary files: these two codes are only about files here
		return true
	case "xlog.c":
		return strings.HasPrefix(pg.Routine, "XLogFile") || pg.Routine == "XLogWrite" || pg.Routine == "issue_xlog_fsync"
	case "buffile.c":
		return pg.Routine == "BufFileDumpBuffer" || pg.Routine == "BufFileLoadBuffer"
	case "logtape.c":
		return pg.Routine == "ltsWriteBlock" || pg.Routine == "ltsReadBlock"
	case "slru.c":
		return pg.Routine == "SlruReportIOError"
	}
	return false
}

// MapErr adds a kind to an error of the database or of the connection. An error with a kind keeps it. pgx.ErrNoRows becomes
// fault.NotFound. what describes the attempted action; it may be empty.
func MapErr(err error, what string) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		if what == "" {
			return err
		}
		return fmt.Errorf("%s: %w", what, err)
	}
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		kind, ok := kindsByCode(pgErr.Code)
		if !ok && refusedByStorage(pgErr) {
			kind, ok = fault.Unavailable, true
		}
		if ok {
			return fault.Wrap(kind, err, "%s", pgMessage(kind, pgErr, what))
		}
		return wrapPlain(err, what)
	}
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return fault.Wrap(fault.NotFound, err, "%s", orElse(what, "no such row"))
	// The caller gave up, so this is no fault of the database and gets no kind.
	case errors.Is(err, context.Canceled):
		return wrapPlain(err, what)
	case isAway(err):
		return fault.Wrap(fault.Unavailable, err, "%s", orElse(what, "the database does not answer"))
	}
	return wrapPlain(err, what)
}

// isAway reports whether the connection to the database failed.
func isAway(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, puddle.ErrClosedPool) ||
		pgconn.SafeToRetry(err) || errors.Is(err, pgx.ErrTxClosed)
}

// pgMessage returns a message that the caller may see. It contains no values of other rows.
func pgMessage(kind fault.Kind, pg *pgconn.PgError, what string) string {
	switch kind {
	case fault.Conflict:
		return orElse(what, "it is there already")
	case fault.Invalid:
		return orElse(what, "a value was not accepted") + " (" + pg.Message + ")"
	default:
		return orElse(what, "the database is not available")
	}
}

// wrapPlain adds what was attempted to an error, without a kind.
func wrapPlain(err error, what string) error {
	if what == "" {
		return err
	}
	return fmt.Errorf("%s: %w", what, err)
}

// orElse returns s, or other if s is empty.
func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// Code returns the SQLSTATE of a database error, empty if err is not a database error.
func Code(err error) string {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pgErr.Code
	}
	return ""
}

// Constraint returns the name of the constraint that a row violates. It returns "" if err is no such error.
func Constraint(err error) string {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pgErr.ConstraintName
	}
	return ""
}
