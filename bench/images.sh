#!/bin/bash
# Backs up one generated collection of images with what a user might use instead of Holdfast and with Holdfast, side by
# side in one run, from a folder and from an S3 server, and restores it; prints the table that goes into
# docs/benchmarks.md.
#
# usage: bench/images.sh [--holdfast PROGRAM] [--only folder|s3|many] [--objects N] [--rounds N] [--many N] [--million]
#   --holdfast    a program that is built already, instead of a build of its own
#   --only        a part of it: from a folder, from the S3 server, or the runs over many objects
#   --objects N   images of 5 to 300 KB, about 2 GB for the default of 20,000
#   --many N      how many objects the unchanged run has whose CPU seconds are measured (default 100,000; 0: none)
#   --million     also a million small objects, for peak memory (takes 4 GB of disk and a while)
#
# Starts a Ceph RGW of its own (on disk, not in memory) and stops it.  Needs about ten times the images' size of free disk.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
deploy/install-packages.sh run server s3 tests bench

work=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-bench.XXXXXX")
chmod 755 "$work"
cleanup() {
	status=$?
	trap '' INT TERM HUP
	HF_RGW_DIR=$work/rgw tests/lib/rgw.sh stop >/dev/null 2>&1 || true
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
HF_RGW_STORE=bluestore HF_RGW_DIR=$work/rgw tests/lib/rgw.sh start >/dev/null
set -a
# shellcheck disable=SC1091
. "$work/rgw/env"
set +a
PYTHONDONTWRITEBYTECODE=1 python3 bench/images.py --work "$work" "$@"
