package httpx

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"onemap/internal/fault"
	"onemap/internal/text"
)

// ETag returns the entity tag of a version.
func ETag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// IfMatch returns the version in an If-Match header. It returns fault.PreconditionMissing if the header is empty, because
// a client that changes a thing must send the version that it has read.
func IfMatch(header string) (int64, error) {
	if header == "" {
		return 0, &fault.Error{Kind: fault.PreconditionMissing, Field: "If-Match", Msg: "send the ETag of the version that you saw"}
	}
	inner, opened := strings.CutPrefix(header, `"`)
	inner, closed := strings.CutSuffix(inner, `"`)
	n, err := strconv.ParseInt(inner, 10, 64)
	if err != nil || n < 0 || !opened || !closed {
		return 0, fault.InvalidField("If-Match", "%q is no ETag of this server: a number in quotes", Cut(header))
	}
	return n, nil
}

// Cut shortens text of the client for an error message.
func Cut(s string) string { return text.Cut(s, 40) }

// ContentTag returns the weak entity tag of a response that may be compressed.
func ContentTag(b []byte) string {
	sum := sha256.Sum256(b)
	return `W/"` + hex.EncodeToString(sum[:12]) + `"`
}
