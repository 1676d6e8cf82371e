#!/bin/bash
# What encryption costs: one generated database backed up in the clear, encrypted, and with names encrypted as well, by turns in
# one run; and what one image out of a bucket takes of each, in requests and bytes.
#
# usage: bench/encryption.sh [--scale N] [--rounds N] [--images N] [--holdfast PROGRAM]
#        N of scale: about 100 MB of plain dump each (5); rounds (5); images of 20 KB (10000)
#
# Starts a PostgreSQL and a Ceph RGW of its own and stops them.  Needs about five times the dump's size of free disk.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

work=$(mktemp -d "${TMPDIR:-/var/tmp}/holdfast-bench.XXXXXX")
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
HF_PG_SHARED_BUFFERS=1GB tests/lib/postgres.sh start "$work/pg" >/dev/null
HF_RGW_DIR=$work/rgw tests/lib/rgw.sh start >/dev/null
set -a
# shellcheck disable=SC1091
. "$work/pg/env"
# shellcheck disable=SC1091
. "$work/rgw/env"
set +a
PYTHONDONTWRITEBYTECODE=1 HF_TEST_SRCDIR=$root HF_TEST_HOLDFAST=none python3 bench/encryption.py --work "$work" "$@"
