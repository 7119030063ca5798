#!/bin/sh
# deps.sh run|test: installs the Debian packages that are missing, and nothing else.
# No service is started and no default cluster is made: onemap brings its own private PostgreSQL.
set -eu

case ${1-} in
run)  wanted="ca-certificates postgresql-15 postgresql-15-postgis-3" ;;
test) wanted="ca-certificates postgresql-15 postgresql-15-postgis-3 gcc libc6-dev chromium mosquitto mosquitto-clients libxml2-utils gdal-bin haproxy nginx-light openssl pgbouncer unzip" ;;
*)    echo "usage: $0 run|test" >&2; exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null; then
    echo "deps: this is not a Debian system; please install: $wanted" >&2
    exit 0
fi

missing=
for p in $wanted; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

sudo=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "deps: missing:$missing; run as root, or install sudo, or install them yourself" >&2; exit 1; }
    sudo=sudo
fi

policy=/usr/sbin/policy-rc.d
cluster=/etc/postgresql-common/createcluster.d/onemap-none.conf
restore() {
    $sudo rm -f "$policy" "$cluster"
    if [ -e "$policy.onemap-kept" ]; then $sudo mv "$policy.onemap-kept" "$policy"; fi
}
trap restore EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
# invoke-rc.d asks policy-rc.d before it starts anything: 101 is "do not"
if [ -e "$policy" ]; then $sudo mv "$policy" "$policy.onemap-kept"; fi
printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
$sudo chmod 755 "$policy"
$sudo mkdir -p "$(dirname "$cluster")"
echo 'create_main_cluster = false' | $sudo tee "$cluster" >/dev/null

echo "deps: installing$missing"
get="$sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120"
$get update
# shellcheck disable=SC2086
$get install -y --no-install-recommends $missing
