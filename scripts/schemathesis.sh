#!/bin/sh
# schemathesis.sh [EXAMPLES]: starts a demo of its own on loopback and sends it requests that Schemathesis makes of
# its OpenAPI description, EXAMPLES (30) an operation and phase, as an administrator, a data steward and a city
# commander. It fails on an answer of 5xx other than a documented one, and on a status, a content type, a header or
# a body that the description does not name.
#
# Schemathesis (https://schemathesis.readthedocs.io, from PyPI) is no part of the project; install it outside:
#     python3 -m venv VENV && VENV/bin/pip install schemathesis
#     SCHEMATHESIS=VENV/bin/schemathesis scripts/schemathesis.sh
# ONEMAP is the program, bin/onemap when not given.
set -eu
examples=${1:-30}
schemathesis=${SCHEMATHESIS:-schemathesis}
onemap=$(realpath "${ONEMAP:-bin/onemap}")
base=$(realpath data/base)
schemathesis=$(command -v "$schemathesis")
schemathesis=$(realpath -s "$schemathesis")
dir=$(mktemp -d)

"$onemap" demo --data "$dir/demo" --base-data "$base" --http 127.0.0.1:0 --mqtt 127.0.0.1:0 --scene none >"$dir/log" 2>&1 &
demo=$!
finish() {
    kill "$demo" 2>/dev/null || true
    wait "$demo" 2>/dev/null || true
    rm -rf "$dir"
}
trap finish EXIT
trap 'exit 1' INT TERM

tries=0
until [ -s "$dir/demo/demo.json" ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 600 ] || ! kill -0 "$demo"; then
        cat "$dir/log" >&2
        exit 1
    fi
    sleep 1
done

# The description without its "default" answers: each status must be named.
cat >"$dir/prepare.py" <<'PYTHON'
import json, sys, urllib.request

folder, role = sys.argv[1:]
demo = json.load(open(f"{folder}/demo/demo.json"))
account = next(a for a in demo["accounts"] if a["role"] == role)
login = urllib.request.Request(
    demo["http"] + "/api/v1/session",
    json.dumps({"user": account["user"], "password": account["password"]}).encode(),
    {"Content-Type": "application/json"},
)
cookie = urllib.request.urlopen(login).headers["Set-Cookie"]
token = cookie.split("onemap_session=", 1)[1].split(";", 1)[0]
asked = urllib.request.Request(demo["http"] + "/api/v1/openapi.json", headers={"Authorization": "Bearer " + token})
document = json.load(urllib.request.urlopen(asked))
for item in document["paths"].values():
    for operation in item.values():
        operation["responses"].pop("default", None)
json.dump(document, open(f"{folder}/openapi.json", "w"))
print(demo["http"], token)
PYTHON

# What ends the own session is left out: after it every answer would be a 401. /ws is no request and answer.
failed=0
cd "$dir" # Schemathesis leaves a folder where it runs
for role in administrator data_steward city_commander; do
    set -- $(python3 "$dir/prepare.py" "$dir" "$role")
    echo "== $role"
    "$schemathesis" run "$dir/openapi.json" --url "$1" -H "Authorization: Bearer $2" \
        --checks not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance \
        --phases examples,coverage,fuzzing --max-examples "$examples" --continue-on-failure --suppress-health-check all \
        --generation-database none --warnings off --no-color \
        --exclude-operation-id logout --exclude-operation-id revokeSession --exclude-operation-id connectPush || failed=1
    python3 - "$1" "$2" <<'PYTHON'
import sys, urllib.request

urllib.request.urlopen(urllib.request.Request(sys.argv[1] + "/api/v1/me", headers={"Authorization": "Bearer " + sys.argv[2]}))
PYTHON
done
exit "$failed"
