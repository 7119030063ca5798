# make run     the whole thing, on this machine alone: http://127.0.0.1:8080
# make test    the tests; make check adds the linters, and is what CI runs
SHELL := /bin/sh
DATA  ?= var
GO    ?= go
export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD = 1

version := $(shell git describe --always --dirty 2>/dev/null || echo dev)
gobuild := CGO_ENABLED=0 $(GO) build -buildvcs=false -trimpath -ldflags "-s -w -X main.version=$(version)"
ui      := web/ui
ui_src  := $(shell find $(ui)/src $(ui)/public $(ui)/index.html $(ui)/package.json $(ui)/vite.config.ts -type f 2>/dev/null)

.PHONY: run build test check lint fmt reset bench bench-tiles bench-ingest torture deps-run deps-test go-test ui-test browser-test browser-all fuzz help

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

run: deps-run build
	@exec ./bin/onemap demo --data $(DATA) $(ARGS)

build: $(ui)/dist/index.html bin/onemap

# go build keeps its own account of what is stale
.PHONY: bin/onemap
bin/onemap: $(ui)/dist/index.html
	$(gobuild) -o $@ ./cmd/onemap

$(ui)/node_modules/.installed: $(ui)/package-lock.json
	cd $(ui) && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(ui)/dist/index.html: $(ui)/node_modules/.installed $(ui_src)
	cd $(ui) && npm run --silent build
	@touch $@

deps-run:
	@scripts/deps.sh run

deps-test:
	@scripts/deps.sh test

test: deps-test go-test ui-test browser-test

# The limit is for a test that hangs: beside four busy processes on two cores the slowest package takes 27 minutes.
go-test: $(ui)/dist/index.html
	CGO_ENABLED=1 $(GO) test -race -timeout 60m ./...

ui-test: $(ui)/node_modules/.installed
	cd $(ui) && npm run --silent test

browser-test: build
	cd $(ui) && npm run --silent e2e

# make browser-all   every browser test, also those of the tag @wide that make check leaves out: about 30 minutes
browser-all: deps-test build
	cd $(ui) && npm run --silent e2e:all

lint: $(ui)/node_modules/.installed
	$(GO) vet ./...
	$(GO) tool -modfile=tools/go.mod golangci-lint run
	cd $(ui) && npm run --silent lint

# make fmt     formats the Go code, and corrects what the page's linter can correct
fmt: $(ui)/node_modules/.installed
	gofmt -w $$(git ls-files '*.go')
	cd $(ui) && npx eslint --fix .

check: deps-test lint test

# a short run of every fuzz target, longer with FUZZTIME=5m
FUZZTIME ?= 20s
fuzz:
	scripts/fuzz.sh $(FUZZTIME)

reset: bin/onemap
	./bin/onemap demo --data $(DATA) --reset

# make bench   the benchmarks; the figures of docs/performance.md come from here
bench: deps-test
	$(GO) test -run '^$$' -bench . -benchtime 2s ./...

# make bench-tiles   the tile engine as it is used, against its bars: about 20 minutes; ARGS="-only cached", ARGS=-h
bench-tiles: deps-run build
	$(GO) build -buildvcs=false -o bin/benchtiles ./bench/tiles
	@exec ./bin/benchtiles -onemap bin/onemap $(ARGS)

# make torture   what onemap stands on is broken while 1,000 devices publish, and nothing may be lost: about 5 minutes; ARGS="-run TestServerKilled"
torture: deps-test $(ui)/dist/index.html
	TORTURE=full $(GO) test -count=1 -timeout 60m -v $(ARGS) ./bench/torture

# make bench-ingest   the ingest path as devices use it, against its bars: about 20 minutes; ARGS="-only devices -runs 1", ARGS=-h
bench-ingest: deps-test build
	$(GO) build -buildvcs=false -o bin/benchingest ./bench/ingest
	@exec ./bin/benchingest -onemap bin/onemap $(ARGS)
