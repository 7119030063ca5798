#!/bin/sh
# fuzz.sh TIME: runs each fuzz target of the module for TIME, one after the other.
set -eu
grep -rlE '^func Fuzz' --include='*_test.go' . | xargs -n1 dirname | sort -u | while read -r dir; do
    grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go | cut -c6- | sort -u | while read -r name; do
        echo "fuzz: $dir $name"
        go test "$dir" -run '^$' -fuzz "^$name\$" -fuzztime "$1"
    done
done
