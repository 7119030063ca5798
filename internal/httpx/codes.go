package httpx

import (
	"onemap/internal/fault"
)

// The codes of requests.
const (
	CodeTimeRange     fault.Code = "time-range: must be before the end"
	CodeQueryText     fault.Code = "query-text: must be a text to look for"
	CodeMalformed     fault.Code = "malformed: has not the form that is taken here"
	CodeUnknownField  fault.Code = "unknown-field: is not a member that is known here"
	CodeTooMuch       fault.Code = "too-much: is larger than is taken here"
	CodeOriginForeign fault.Code = "origin-foreign: the page is at {origin}, and its requests arrive here for {host}: start the server with --origin {origin}, or let the proxy send X-Forwarded-Host"
	CodeInternalError fault.Code = "internal-error: an internal error; the log has its detail under request {id}"
)
