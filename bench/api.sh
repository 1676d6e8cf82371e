#!/bin/bash
# GET /api/backup/status through a private nginx with TLS, with 1,000 backups in the catalogue and the token check on, beside
# a Node/Express handler with jsonwebtoken that gives the same replies behind the same nginx; prints the table that goes into
# docs/benchmarks.md.
#
# usage: bench/api.sh [--rounds N] [--seconds N] [--connections N] [--soak REQUESTS]
#   --soak 1000000   that many more requests to Holdfast at the end, with its memory in between
#
# Everything is on loopback and in a folder of its own; all of it is stopped at the end.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
deploy/install-packages.sh build run server bench

work=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-bench.XXXXXX")
chmod 755 "$work"
cleanup() {
	status=$?
	trap '' INT TERM HUP
	"$root/tests/lib/stack.sh" stop "$work/stack" >/dev/null 2>&1 || true
	rm -rf "$work"
	exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

if [ -n "${HF_BENCH_BUILD:-}" ]; then
	build=$HF_BENCH_BUILD # a folder with holdfast and holdfast-fcgi as they are shipped, for work on this script
else
	build=$work/build
	[ configure -nt configure.ac ] || ./autogen.sh >"$work/autogen.log" 2>&1
	mkdir "$build"
	(cd "$build" && "$root/configure" && make -j"$(nproc)") >"$work/build.log" 2>&1 || {
		tail "$work/build.log" >&2
		exit 1
	}
fi
mkdir "$work/npm"
cp bench/npm/package.json bench/npm/package-lock.json "$work/npm"
(cd "$work/npm" && npm ci --ignore-scripts --no-audit --no-fund) >"$work/npm.log" 2>&1 || {
	tail "$work/npm.log" >&2
	exit 1
}

# A thousand backups of the earlier implementation, one a day: the catalogue lists them by their names.
mkdir -p "$work/store/backups" "$work/state"
for day in $(seq 1000); do
	printf x >"$work/store/database_backup_$(date -u -d "2023-01-01 +$day days" +%F)_02-00-00.sql.gz"
done
JWT_SECRET=$(openssl rand -hex 32)
export JWT_SECRET BACKUP_DIR=$work/store BACKUP_STATE_DIR=$work/state S3_BACKUP_BUCKET=
export DB_NAME=none
cd "$work" # no .env of anybody's
"$build/holdfast" list >/dev/null
HF_BENCH_TOKEN=$("$build/holdfast" token --expires 10h)
export HF_BENCH_TOKEN

workers=$(nproc)
: >"$work/server.conf"
HF_STACK_WORKER=$build/holdfast-fcgi HF_STACK_WORKERS=$workers HF_STACK_NO_LIMITS=1 HF_STACK_SERVER_CONF=$work/server.conf \
	"$root/tests/lib/stack.sh" start "$work/stack" >/dev/null
PYTHONDONTWRITEBYTECODE=1 python3 "$root/bench/api.py" --stack "$work/stack" --work "$work" \
	--modules "$work/npm/node_modules" --workers "$workers" "$@"
