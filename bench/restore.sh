#!/bin/bash
# Restores one generated database with its indexes by `gunzip | psql` and by Holdfast over 1, 2 and 4 connections, side by
# side in one run; prints the table that goes into docs/benchmarks.md.
#
# usage: bench/restore.sh [--scale N] [--rounds N] [--holdfast PROGRAM]     N of scale: about 80 MB of plain dump each (default 20)
#
# Starts a PostgreSQL of its own and stops it.  Needs about six times the dump's size of free disk.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
deploy/install-packages.sh run server bench

work=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-bench.XXXXXX")
chmod 755 "$work"
cleanup() {
	status=$?
	trap '' INT TERM HUP
	tests/lib/postgres.sh stop "$work/pg" >/dev/null 2>&1 || true
	rm -rf "$work"
	exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

case " $* " in
*" --holdfast "*) ;;
*)
	deploy/install-packages.sh build
	[ configure -nt configure.ac ] || ./autogen.sh >"$work/autogen.log" 2>&1
	mkdir "$work/build"
	(cd "$work/build" && "$root/configure" && make -j"$(nproc)" holdfast) >"$work/build.log" 2>&1 || {
		tail "$work/build.log" >&2
		exit 1
	}
	set -- --holdfast "$work/build/holdfast" "$@"
	;;
esac
HF_PG_SHARED_BUFFERS=1GB tests/lib/postgres.sh start "$work/pg" >/dev/null
set -a
# shellcheck disable=SC1091
. "$work/pg/env"
set +a
PYTHONDONTWRITEBYTECODE=1 python3 bench/restore.py --work "$work" "$@"
