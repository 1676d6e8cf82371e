#!/bin/bash
# Two hosts that start a backup into one bucket at the same moment, a hundred times, against a real Ceph RGW; and what a
# lease costs a backup of one host alone.  Two state folders and two names stand for two hosts.  The judge is PostgreSQL's log:
# each host has a role of its own, and no session of the one may overlap one of the other.
#
# usage: bench/leases.sh [--starts N] [--rounds N] [--holdfast PROGRAM]
#
# Starts a PostgreSQL and an S3 server of its own and stops them.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

work=$(mktemp -d "${TMPDIR:-/var/tmp}/holdfast-bench.XXXXXX")
chmod 755 "$work"
export HF_RGW_DIR=$work/rgw
cleanup() {
	status=$?
	trap '' INT TERM HUP
	tests/lib/postgres.sh stop "$work/pg" >/dev/null 2>&1 || true
	tests/lib/rgw.sh stop >/dev/null 2>&1 || true
	rm -rf "$work"
	exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

case " $* " in
*" --holdfast "*) ;;
*)
	deploy/install-packages.sh build run server s3 bench
	[ configure -nt configure.ac ] || ./autogen.sh >"$work/autogen.log" 2>&1
	mkdir "$work/build"
	(cd "$work/build" && "$root/configure" && make -j"$(nproc)" holdfast) >"$work/build.log" 2>&1 || {
		tail "$work/build.log" >&2
		exit 1
	}
	set -- --holdfast "$work/build/holdfast" "$@"
	;;
esac
HF_PG_OPTIONS="log_connections = on
log_disconnections = on
log_line_prefix = '%m %p %u '
log_timezone = UTC" tests/lib/postgres.sh start "$work/pg" >/dev/null
tests/lib/rgw.sh start >/dev/null
PYTHONDONTWRITEBYTECODE=1 python3 bench/leases.py --work "$work" "$@"
