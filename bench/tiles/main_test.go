package main

import (
	"strings"
	"testing"
)

func TestFlags(t *testing.T) {
	for _, good := range [][]string{nil, {"-only", "cached"}, {"-only", "cold,herd"}, {"-runs", "1", "-seconds", "0.5", "-points", "1000", "-polygons", "100"}} {
		if _, err := parse(good); err != nil {
			t.Errorf("%v: %v", good, err)
		}
	}
	for _, bad := range []string{"x", "-only=none", "-runs=0", "-seconds=0", "-edit-seconds=0", "-points=10", "-polygons=10", "-seed=-1"} {
		if _, err := parse([]string{bad}); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
	for code, args := range map[int][]string{0: {"-h"}, 1: {"-onemap", "no/such/program"}, 2: {"-runs", "0"}} {
		if got := run(t.Context(), args, &strings.Builder{}); got != code {
			t.Errorf("%v: exit code %d", args, got)
		}
	}
	if code := run(t.Context(), []string{"-bare", "no/such/file"}, &strings.Builder{}); code != 1 {
		t.Errorf("without the file of answers: exit code %d", code)
	}
}
