#!/bin/bash
# Backs up one generated database with what a user might use instead of Holdfast and with Holdfast, side by side in one
# run, and restores it; prints the table that goes into docs/benchmarks.md.
#
# usage: bench/database.sh [--scale N] [--rounds N]     N of scale: about 100 MB of plain dump each (default 20)
#
# Starts a PostgreSQL and a Ceph RGW of its own (on disk, not in memory) and stops them.  Needs about 15 times the
# dump's size of free disk.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
deploy/install-packages.sh build run server s3 bench

work=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-bench.XXXXXX")
chmod 755 "$work"
cleanup() {
	status=$?
	trap '' INT TERM HUP
	HF_RGW_DIR=$work/rgw tests/lib/rgw.sh stop >/dev/null 2>&1 || true
	tests/lib/postgres.sh stop "$work/pg" >/dev/null 2>&1 || true
	rm -rf "$work"
	exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

[ configure -nt configure.ac ] || ./autogen.sh >"$work/autogen.log" 2>&1
mkdir "$work/build"
(cd "$work/build" && "$root/configure" && make -j"$(nproc)") >"$work/build.log" 2>&1 || {
	tail "$work/build.log" >&2
	exit 1
}
# pgBackRest reads the data folder beside the server and talks to it through a socket.
mkdir -m 777 "$work/socket"
HF_PG_SHARED_BUFFERS=1GB HF_PG_OPTIONS="unix_socket_directories = '$work/socket'
archive_mode = on
archive_command = 'true'
wal_level = replica
max_wal_senders = 4" tests/lib/postgres.sh start "$work/pg" >/dev/null
HF_RGW_STORE=bluestore HF_RGW_DIR=$work/rgw tests/lib/rgw.sh start >/dev/null
set -a
# shellcheck disable=SC1091
. "$work/pg/env"
# shellcheck disable=SC1091
. "$work/rgw/env"
set +a
PYTHONDONTWRITEBYTECODE=1 python3 bench/database.py --work "$work" --holdfast "$work/build/holdfast" "$@"
