// Package page serves the built pages: their files, compressed, and index.html for the addresses that the pages route
// themselves.
package page

import (
	"bytes"
	"errors"
	"html"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"

	"onemap/internal/fault"
	"onemap/internal/httpx"
)

const indexPage = "index.html"

const notBuilt = "onemap runs, but its pages are not built into this binary: run `make build`. The API is at /api/v1.\n"

// Pages serves the files of the built pages.
type Pages struct {
	*httpx.Server // set by Mount

	files  fs.FS // nil: the pages are not built into this binary
	base   string
	index  []byte   // index.html with the base path; nil without the files
	build  string   // name of the build; "" without the pages
	packed sync.Map // name of a file → its gzip
}

// New returns the pages with the built files, which may be nil. base is the path below which everything is served.
func New(files fs.FS, base string) *Pages {
	p := &Pages{files: files, base: base}
	p.index = p.pageIndex()
	p.build = p.pageBuild()
	return p
}

// Build returns the name of the build, which an open page compares with its own. It returns "" without the files.
func (p *Pages) Build() string { return p.build }

// Mount registers the handler for all paths that no other route matches.
func (p *Pages) Mount(h *httpx.Server) {
	p.Server = h
	h.Handle(httpx.Route{Path: "/", Need: httpx.NeedNothing}, p.page)
}

// page serves a file, or index.html for the addresses that the pages route themselves. Files under /assets/ have a hash in
// their names and never change.
func (p *Pages) page(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		p.MethodNotAllowed(w, r, []string{http.MethodGet})
		return
	}
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	if routedByPages(name) {
		name = indexPage
	}
	file, err := p.readPage(name)
	if errors.Is(err, fs.ErrNotExist) && wantsHTML(r) && !strings.HasPrefix(name, "assets/") {
		p.nowhere(w, r)
		return
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && name == indexPage:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, notBuilt)
		return
	case errors.Is(err, fs.ErrNotExist):
		p.Fail(w, r, httpx.NotFound("there is nothing at %s", httpx.Cut(r.URL.Path)))
		return
	case err != nil:
		p.Fail(w, r, fault.Wrap(fault.Internal, err, "read the page %s", name))
		return
	}
	p.sendPage(w, r, name, file)
}

// nowhere answers 404 with index.html, in which the pages show that the address does not exist.
func (p *Pages) nowhere(w http.ResponseWriter, r *http.Request) {
	file, err := p.readPage(indexPage)
	if err != nil {
		p.Fail(w, r, httpx.NotFound("there is nothing at %s", httpx.Cut(r.URL.Path)))
		return
	}
	h := w.Header()
	h.Set("Content-Type", contentType(indexPage))
	h.Set("Content-Length", strconv.Itoa(len(file)))
	w.WriteHeader(http.StatusNotFound)
	_, _ = w.Write(file)
}

// wantsHTML reports whether the request comes from a browser that opens a page: it accepts text/html explicitly, which
// scripts do not.
func wantsHTML(r *http.Request) bool {
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept"), ","), ",") {
		kind, params, _ := strings.Cut(part, ";")
		kind = strings.ToLower(strings.TrimSpace(kind))
		if kind == "text/html" || kind == "application/xhtml+xml" {
			q, weighted := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
			weight, err := strconv.ParseFloat(q, 64)
			return !weighted || (err == nil && weight > 0)
		}
	}
	return false
}

// pageBuild returns the name of the build, which is in index.html. It returns "" if there is none.
func (p *Pages) pageBuild() string {
	file, err := p.readPage(indexPage)
	if err != nil {
		return ""
	}
	_, after, found := strings.Cut(string(file), `name="onemap-build" content="`)
	build, _, ended := strings.Cut(after, `"`)
	if !found || !ended || len(build) > 64 || strings.ContainsFunc(build, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return ""
	}
	return build
}

// routedByPages reports whether the pages' own router knows the address. The list must match web/ui/src/router.ts.
func routedByPages(name string) bool {
	switch name {
	case "", "login", "m", "events", "alerts", "silences", "about", "display",
		"admin/accounts", "admin/failed-logins", "admin/displays", "admin/rules", "admin/quarantine", "admin/ingest", "admin/layers":
		return true
	default:
		return false
	}
}

// readPage reads a file of the pages. Folders and files whose names begin with a dot do not exist.
func (p *Pages) readPage(name string) ([]byte, error) {
	if name == indexPage && p.index != nil {
		return p.index, nil
	}
	if p.files == nil || !fs.ValidPath(name) || strings.HasPrefix(path.Base(name), ".") {
		return nil, fs.ErrNotExist
	}
	info, err := fs.Stat(p.files, name)
	if err != nil || info.IsDir() {
		return nil, fs.ErrNotExist
	}
	return fs.ReadFile(p.files, name)
}

// sendPage sends a file. Assets may be cached for a year; all other files are checked by their ETag at each use.
func (p *Pages) sendPage(w http.ResponseWriter, r *http.Request, name string, file []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType(name))
	h.Set("Cache-Control", "no-cache")
	if strings.HasPrefix(name, "assets/") {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	tag := httpx.ContentTag(file)
	h.Set("ETag", tag)
	h.Add("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if httpx.TakesGzip(r) && compressible(name) && len(file) > 1024 {
		packed, err := p.pack(name, file)
		if err == nil {
			h.Set("Content-Encoding", "gzip")
			file = packed
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(file)))
	_, _ = w.Write(file)
}

// pack returns a compressed file: the one that the build has written, or one that is compressed once and kept.
func (p *Pages) pack(name string, file []byte) ([]byte, error) {
	if name != indexPage { // index.html differs from the built one by the base path
		if ready, err := p.readPage(name + ".gz"); err == nil {
			return ready, nil
		}
	}
	if kept, ok := p.packed.Load(name); ok {
		return kept.([]byte), nil
	}
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(file); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	p.packed.Store(name, out.Bytes())
	return out.Bytes(), nil
}

// compressible reports whether files of this type become smaller. Images and fonts are compressed already.
func compressible(name string) bool {
	switch path.Ext(name) {
	case ".html", ".js", ".mjs", ".css", ".svg", ".json", ".webmanifest", ".txt", ".map", ".wasm", ".ttf", ".pbf":
		return true
	default:
		return false
	}
}

// contentType returns the content type by the extension. The types of the pages are fixed here, because the MIME tables of
// machines differ.
func contentType(name string) string {
	switch ext := path.Ext(name); ext {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".json", ".map":
		return "application/json"
	case ".webmanifest":
		return "application/manifest+json"
	case ".svg":
		return "image/svg+xml"
	case ".woff2":
		return "font/woff2"
	case ".woff":
		return "font/woff"
	case ".pbf":
		return "application/x-protobuf"
	default:
		if t := mime.TypeByExtension(ext); t != "" {
			return t
		}
		return "application/octet-stream"
	}
}

// The places in index.html that the server fills in. The build of the pages writes them (web/ui/index.html,
// web/ui/vite.config.ts).
const (
	baseMark  = `name="onemap-base" content="/"`
	assetMark = `="./`
)

// pageIndex returns index.html with the base path: in the meta element that the pages read, and before the files that it
// loads. It returns nil without the pages.
func (p *Pages) pageIndex() []byte {
	file, err := p.readPage(indexPage)
	if err != nil {
		return nil
	}
	base := html.EscapeString(p.base + "/")
	file = bytes.Replace(file, []byte(baseMark), []byte(`name="onemap-base" content="`+base+`"`), 1)
	return bytes.ReplaceAll(file, []byte(assetMark), []byte(`="`+base))
}
