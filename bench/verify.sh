#!/bin/bash
# Proves one generated backup of a database, and does by hand what the proof replaces, side by side in one run: level 2
# against gunzip and sha256sum, level 4 against `gunzip | psql` into the same kind of scratch cluster and pg_dump.
#
# usage: bench/verify.sh [--scale N] [--rounds N] [--holdfast PROGRAM]     N of scale: about 100 MB of plain dump each (8)
#
# Starts a PostgreSQL of its own and stops it.  Needs about ten times the dump's size of free disk.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

work=$(mktemp -d "${TMPDIR:-/var/tmp}/holdfast-bench.XXXXXX")
chmod 755 "$work"
cleanup() {
	status=$?
	trap '' INT TERM HUP
	tests/lib/postgres.sh stop "$work/pg" >/dev/null 2>&1 || true
	tests/lib/postgres.sh stop "$work/hand" >/dev/null 2>&1 || true
	rm -rf "$work"
	exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

case " $* " in
*" --holdfast "*) ;;
*)
	deploy/install-packages.sh build run server bench
	[ configure -nt configure.ac ] || ./autogen.sh >"$work/autogen.log" 2>&1
	mkdir "$work/build"
	(cd "$work/build" && "$root/configure" && make -j"$(nproc)" holdfast) >"$work/build.log" 2>&1 || {
		tail "$work/build.log" >&2
		exit 1
	}
	set -- --holdfast "$work/build/holdfast" "$@"
	;;
esac
tests/lib/postgres.sh start "$work/pg" >/dev/null
# As backup/verify/scratch.c sets its own.
HF_PG_SHARED_BUFFERS=256MB HF_PG_OPTIONS="wal_level = minimal
max_wal_senders = 0
autovacuum = off
maintenance_work_mem = 256MB
min_wal_size = 32MB
max_wal_size = 256MB
checkpoint_timeout = 1h" tests/lib/postgres.sh start "$work/hand" >/dev/null
PYTHONDONTWRITEBYTECODE=1 python3 bench/verify.py --work "$work" "$@"
