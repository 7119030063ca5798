package httpx

import (
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// May adds statuses of problems that an operation can return, in addition to those that follow from its input and its need;
// see refusals.
func May(o huma.Operation, statuses ...int) huma.Operation {
	o.Errors = append(slices.Clone(o.Errors), statuses...)
	return o
}

// refusals returns the statuses of the problems that an operation can return. They follow from its path, its input and its
// need.
func refusals(o huma.Operation, need Need, input reflect.Type) []int {
	all := append(slices.Clone(o.Errors), http.StatusBadRequest, http.StatusServiceUnavailable)
	if need != NeedNothing {
		all = append(all, http.StatusUnauthorized)
	}
	// A request from a page of another origin is refused for every need, unless it only reads.
	if (need != NeedNothing && need != NeedSession) || o.Method != http.MethodGet {
		all = append(all, http.StatusForbidden)
	}
	if strings.Contains(o.Path, "{") {
		all = append(all, http.StatusNotFound)
	}
	if _, ok := input.FieldByName("IfMatch"); ok {
		all = append(all, http.StatusPreconditionFailed, http.StatusPreconditionRequired)
	}
	if _, ok := input.FieldByName("Body"); ok {
		all = append(all, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// problems describes the refusals by their statuses, and all other problems as the default response.
func (s *Server) problems(statuses []int) map[string]*huma.Response {
	out := map[string]*huma.Response{"default": s.problemResponse("Another problem (RFC 9457)")}
	for _, status := range statuses {
		r := s.problemResponse(http.StatusText(status))
		switch status {
		case http.StatusUnauthorized:
			r.Headers = map[string]*huma.Param{"WWW-Authenticate": TextHeader("Bearer")}
		case http.StatusTooManyRequests, http.StatusServiceUnavailable:
			r.Headers = map[string]*huma.Param{"Retry-After": {Description: "Seconds to wait, where it is known", Schema: &huma.Schema{Type: huma.TypeInteger}}}
		}
		out[strconv.Itoa(status)] = r
	}
	return out
}

// TextHeader describes a header of a response.
func TextHeader(doc string) *huma.Param {
	return &huma.Param{Description: doc, Schema: &huma.Schema{Type: huma.TypeString}}
}

func (s *Server) problemResponse(text string) *huma.Response {
	return &huma.Response{
		Description: text,
		Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: &huma.Schema{Ref: schemas + "Problem"}}},
	}
}
