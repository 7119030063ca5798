// Package page serves the built page: its files, compressed, and index.html for the addresses that the page routes itself.
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

// Pages are the files of the built page.
type Pages struct {
	*httpx.Server // from Mount on

	files  fs.FS // nil: they are not built
	base   string
	index  []byte   // index.html with the base path; nil without the files
	build  string   // of the pages; empty without them
	packed sync.Map // name of a file → its gzip
}

// New takes the built files; nil is none. base is the path that everything is below.
func New(files fs.FS, base string) *Pages {
	p := &Pages{files: files, base: base}
	p.index = p.pageIndex()
	p.build = p.pageBuild()
	return p
}

// Build is the name of the build, which an open page compares with its own; empty without the files.
func (p *Pages) Build() string { return p.build }

// Mount serves what no other route takes.
func (p *Pages) Mount(h *httpx.Server) {
	p.Server = h
	h.Handle(httpx.Route{Path: "/", Need: httpx.NeedNothing}, p.page)
}

// page serves the built UI: its files, and index.html for the addresses that the pages route
// themselves. Files under /assets/ carry a hash in their name and never change.
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

// nowhere answers an address that there is no page at with the pages' own view of that, and 404.
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

// wantsHTML reports whether a person's browser asks for a page: it names text/html, a script does not.
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

// pageBuild is the name of the build in index.html, which the build of the pages wrote there; empty without one.
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

// routedByPages lists the addresses that the pages' own router knows (web/ui/src/router.ts).
func routedByPages(name string) bool {
	switch name {
	case "", "login", "m", "events", "alerts", "silences", "about", "display",
		"admin/accounts", "admin/failed-logins", "admin/displays", "admin/rules", "admin/quarantine", "admin/ingest", "admin/layers":
		return true
	default:
		return false
	}
}

// readPage reads a file of the UI; folders and dot files are not there.
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

// pack returns a file compressed: as the build left it beside the file, or made once and kept.
func (p *Pages) pack(name string, file []byte) ([]byte, error) {
	if name != indexPage { // which is not as the build left it
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

func compressible(name string) bool {
	switch path.Ext(name) {
	case ".html", ".js", ".mjs", ".css", ".svg", ".json", ".webmanifest", ".txt", ".map", ".wasm", ".ttf", ".pbf":
		return true
	default:
		return false
	}
}

// contentType does not ask the machine's MIME tables for what pages are made of: they differ.
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

// Marks of index.html that the build of the pages leaves for the server (web/ui/index.html, web/ui/vite.config.ts).
const (
	baseMark  = `name="onemap-base" content="/"`
	assetMark = `="./`
)

// pageIndex is index.html with the base path in it: in a mark that the pages read, and before the files that it loads.
// It is nil without the pages.
func (p *Pages) pageIndex() []byte {
	file, err := p.readPage(indexPage)
	if err != nil {
		return nil
	}
	base := html.EscapeString(p.base + "/")
	file = bytes.Replace(file, []byte(baseMark), []byte(`name="onemap-base" content="`+base+`"`), 1)
	return bytes.ReplaceAll(file, []byte(assetMark), []byte(`="`+base))
}
