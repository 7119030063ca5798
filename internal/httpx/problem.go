package httpx

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"onemap/internal/fault"
	"onemap/internal/text"
)

// Problem is an error response as in RFC 9457, extended with the error kind and the wrong field.
type Problem struct {
	Type      string            `json:"type" example:"about:blank"`
	Title     string            `json:"title" doc:"The status in words"`
	Status    int               `json:"status"`
	Detail    string            `json:"detail,omitempty" doc:"What went wrong, for the person who sent the request"`
	Kind      string            `json:"kind" enum:"internal,invalid,not-found,conflict,precondition,precondition-missing,unauthenticated,forbidden,too-many,too-large,unavailable"`
	Field     string            `json:"field,omitempty" doc:"The field, parameter, header or line at fault"`
	Code      string            `json:"code,omitempty" doc:"Names the sentence of detail, where it has a name; then the page words it in either language"`
	Params    map[string]string `json:"params,omitempty" doc:"What goes into the sentence, by its names"`
	Errors    []FieldDetail     `json:"errors,omitempty" nullable:"false" maxItems:"100" doc:"The faults that were found, when there are several: the first 100"`
	Faults    int               `json:"faults,omitempty" doc:"How many faults were found, when errors does not have them all"`
	RequestID string            `json:"request_id,omitempty" doc:"With an internal error: what to look for in the log"`

	headers http.Header
}

// FieldDetail is one of several faults.
type FieldDetail struct {
	Field  string            `json:"field"`
	Detail string            `json:"detail"`
	Code   string            `json:"code,omitempty" doc:"Names the sentence of detail, where it has a name"`
	Params map[string]string `json:"params,omitempty" doc:"What goes into the sentence, by its names"`
}

// Error returns the title and the detail. With this method and the next three, Problem implements huma.StatusError and the
// other interfaces of huma's error responses.
func (p *Problem) Error() string { return p.Title + ": " + p.Detail }

// GetStatus returns the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders returns the headers of the response: Retry-After, WWW-Authenticate.
func (p *Problem) GetHeaders() http.Header { return p.headers }

// ContentType returns application/problem+json.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// statusOf returns the HTTP status of an error kind. It is the only table of kinds and statuses.
func statusOf(k fault.Kind) int {
	switch k {
	case fault.Invalid:
		return http.StatusBadRequest
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict:
		return http.StatusConflict
	case fault.Precondition:
		return http.StatusPreconditionFailed
	case fault.PreconditionMissing:
		return http.StatusPreconditionRequired
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.TooMany:
		return http.StatusTooManyRequests
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	case fault.Internal:
		return http.StatusInternalServerError
	default:
		return 0 // the kind is missing in this table; a test checks that none is
	}
}

// kindOfStatus returns the kind of a status, for errors of net/http and huma, which have only a status.
func kindOfStatus(status int) fault.Kind {
	for _, k := range fault.Kinds() {
		if statusOf(k) == status {
			return k
		}
	}
	switch {
	case status == http.StatusRequestTimeout:
		return fault.Unavailable
	case status >= 400 && status < 500:
		return fault.Invalid
	default:
		return fault.Internal
	}
}

// ProblemOf returns the part of an error that the client may see. An internal error is logged with its detail; the client
// receives a 500 that contains only the request's id.
func (s *Server) ProblemOf(ctx context.Context, err error) *Problem {
	if done, ok := errors.AsType[*Problem](err); ok {
		return done
	}
	e, ok := errors.AsType[*fault.Error](err)
	switch {
	case ok && e.Kind != fault.Internal:
		return s.classified(ctx, e, err)
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return &Problem{Type: "about:blank", Title: "Client Closed Request", Status: statusClientGone, Kind: fault.Unavailable.String()}
	case errors.Is(err, context.DeadlineExceeded):
		s.log.WarnContext(ctx, "a request took too long", slog.String("request_id", RequestID(ctx)), slog.Any("error", err))
		return codedProblem(fault.Unavailable, fault.CodeAwayNow)
	}
	id := RequestID(ctx)
	s.log.ErrorContext(ctx, "internal error", slog.String("request_id", id), slog.Any("error", err))
	p := codedProblem(fault.Internal, CodeInternalError, id)
	p.RequestID = id
	return p
}

// maxFaults is the largest number of faults in a problem, so that the size of a response does not grow with the request.
const maxFaults = 100

// list adds the faults to the problem if there are several: the first maxFaults and, above that, the number of all.
func (p *Problem) list(all []FieldDetail) {
	if len(all) > maxFaults {
		p.Faults = len(all)
		all = all[:maxFaults]
	}
	if len(all) > 1 {
		p.Errors = all
	}
}

// codedProblem returns a problem with the sentence of a code as its detail.
func codedProblem(k fault.Kind, c fault.Code, values ...any) *Problem {
	msg := fault.NewMessage(c, values...)
	p := newProblem(k, msg.String())
	p.Code, p.Params = msg.Code, msg.Params
	return p
}

// statusClientGone is nginx's status 499. It appears only in the log, because the client has disconnected.
const statusClientGone = 499

// classified returns the problem of an error with a kind. The causes go to the log only.
func (s *Server) classified(ctx context.Context, e *fault.Error, err error) *Problem {
	if e.Err != nil {
		s.log.DebugContext(ctx, "refused", slog.String("request_id", RequestID(ctx)), slog.Any("error", err))
	}
	first := faultOf(e)
	p := newProblem(e.Kind, first.Detail)
	p.Field, p.Code, p.Params = first.Field, first.Code, first.Params
	if p.Code == "" && e.Kind == fault.Unavailable {
		p.Code = fault.CodeAwayNow.Name()
	}
	p.list(faults(err))
	if e.RetryAfter > 0 {
		p.headers.Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	if e.Kind == fault.Unauthenticated {
		p.headers.Set("WWW-Authenticate", `Bearer realm="onemap"`)
	}
	return p
}

// faultOf returns a classified error as a FieldDetail. Text that it repeats from the input is truncated.
func faultOf(e *fault.Error) FieldDetail {
	params := maps.Clone(e.Message.Params)
	for name, value := range params {
		params[name] = text.Cut(value, maxField)
	}
	return FieldDetail{Field: text.Cut(e.Field, maxField), Detail: text.Cut(e.Msg, maxDetail), Code: e.Message.Code, Params: params}
}

// faults lists the classified errors that are joined in err.
func faults(err error) []FieldDetail {
	switch e := err.(type) { //nolint:errorlint // joined errors are a tree, which errors.As does not list
	case *fault.Error:
		return []FieldDetail{faultOf(e)}
	case interface{ Unwrap() []error }:
		var all []FieldDetail
		for _, one := range e.Unwrap() {
			all = append(all, faults(one)...)
		}
		return all
	case interface{ Unwrap() error }:
		return faults(e.Unwrap())
	default:
		return nil
	}
}

// newProblem returns a problem with the status and title of a kind.
func newProblem(k fault.Kind, detail string) *Problem {
	status := statusOf(k)
	return &Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail, Kind: k.String(), headers: http.Header{},
	}
}

// Fail writes the problem of err as the response.
func (s *Server) Fail(w http.ResponseWriter, r *http.Request, err error) {
	p := s.ProblemOf(r.Context(), err)
	maps.Copy(w.Header(), p.headers)
	w.Header().Del("ETag")
	w.Header().Del("Content-Encoding")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	if err := json.NewEncoder(w).Encode(p); err != nil {
		s.log.DebugContext(r.Context(), "the client went away", slog.Any("error", err))
	}
}

// humaProblem converts huma's own errors (a body that is not JSON, an unknown member, a number out of range) into a
// Problem. It is a huma.Transformer, so it receives every response; it returns all others unchanged.
func humaProblem(ctx huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	status := clientStatus(m.Status)
	if c, ok := ctx.(statusContext); ok && c.body.broken && m.Status == http.StatusInternalServerError {
		status, m.Errors = http.StatusBadRequest, []*huma.ErrorDetail{{Location: "body", Message: "its transfer broke off"}}
	}
	p := newProblem(kindOfStatus(status), m.Detail)
	p.Code = CodeMalformed.Name()
	if p.Kind == fault.TooLarge.String() {
		p.Code = CodeTooMuch.Name()
	}
	p.Status, p.Title = status, http.StatusText(status)
	all := make([]FieldDetail, 0, min(len(m.Errors), maxFaults))
	for _, d := range m.Errors[:cap(all)] {
		all = append(all, fieldDetail(d))
	}
	if len(all) > 0 {
		p.Field, p.Code, p.Params = all[0].Field, all[0].Code, all[0].Params
		p.Detail = all[0].Detail
		if p.Field != "" {
			p.Detail = p.Field + ": " + p.Detail
		}
	}
	p.list(all)
	if len(m.Errors) > maxFaults {
		p.Faults = len(m.Errors)
	}
	return p, nil
}

// clientStatus maps huma's status 422 for invalid input to 400.
func clientStatus(status int) int {
	if status == http.StatusUnprocessableEntity {
		return http.StatusBadRequest
	}
	return status
}

// The longest field and detail of a fault, in bytes. They are limited because both can repeat text of the request.
const (
	maxField  = 200
	maxDetail = 500
)

// fieldDetail converts a fault of huma and names the field as the sender wrote it: "limit" for query.limit, "items[3].id"
// for body.items[3].id, and the name of a missing member.
func fieldDetail(d *huma.ErrorDetail) FieldDetail {
	field := d.Location
	for _, where := range []string{"body.", "query.", "path.", "header."} {
		field = strings.TrimPrefix(field, where)
	}
	if member, detail, ok := memberOf(d.Message); ok {
		return FieldDetail{Field: text.Cut(member, maxField), Detail: detail, Code: CodeMalformed.Name()}
	}
	field = text.Cut(field, maxField)
	if name, ok := missingMember(d.Message); ok {
		if field == "body" {
			return missing(name)
		}
		return missing(field + "." + name)
	}
	if msg, ok := knownMessage(d.Message); ok {
		return FieldDetail{Field: field, Detail: msg.String(), Code: msg.Code, Params: msg.Params}
	}
	// The detail is more precise than the code. The code is for readers of other languages.
	return FieldDetail{Field: field, Detail: text.Cut(strings.TrimPrefix(d.Message, "json: "), maxDetail), Code: CodeMalformed.Name()}
}

// knownMessage returns the message with a code for those of huma's texts that the page's own forms can cause.
func knownMessage(message string) (fault.Message, bool) {
	if message == validation.MsgUnexpectedProperty {
		return fault.NewMessage(CodeUnknownField), true
	}
	var limit int
	if n, err := fmt.Sscanf(message, validation.MsgExpectedMaxLength, &limit); n == 1 && err == nil {
		return fault.NewMessage(fault.CodeTooLong, limit), true
	}
	return fault.Message{}, false
}

// missing returns the fault of a required member that is missing.
func missing(field string) FieldDetail {
	msg := fault.NewMessage(fault.CodeRequired)
	return FieldDetail{Field: field, Detail: msg.String(), Code: msg.Code}
}

// missingMember returns the name in huma's message about a missing member. ok is false for any other message.
func missingMember(msg string) (string, bool) {
	rest, ok := strings.CutPrefix(msg, "expected required property ")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(rest, " to be present")
}

// statusContext is a huma.Context that replaces huma's statuses with those of this API.
type statusContext struct {
	humaContext
	body *readBody
}

// readBody records whether the read of a body failed. huma answers such a request with 500, but the client is the cause.
type readBody struct {
	io.ReadCloser
	broken bool
}

// Read reads from the body.
func (b *readBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.broken = b.broken || (err != nil && !errors.Is(err, io.EOF))
	return n, err
}

// humaContext renames huma.Context for embedding: the interface has a method Context, which would collide with the field.
type humaContext huma.Context

// SetStatus writes the status.
func (c statusContext) SetStatus(code int) {
	if code == http.StatusInternalServerError && c.body.broken {
		code = http.StatusBadRequest
	}
	c.humaContext.SetStatus(clientStatus(code))
}

// Unwrap returns the wrapped context, for humago.
func (c statusContext) Unwrap() huma.Context { return c.humaContext }

// NotFound returns the error for a path that does not exist.
func NotFound(format string, args ...any) error {
	return &fault.Error{Kind: fault.NotFound, Msg: fmt.Sprintf(format, args...)}
}
