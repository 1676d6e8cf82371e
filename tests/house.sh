#!/bin/bash
# The house itself, as TAP: the distribution builds out of tree from its own tarball, installs, and uninstalls; and it
# builds without ISA-L.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-house.XXXXXX")
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
n=0
failures=0
claim() { # NAME COMMAND...
	local name=$1
	shift
	n=$((n + 1))
	if "$@" >"$work/log" 2>&1; then
		echo "ok $n /house/$name"
	else
		tail -n 30 "$work/log" | sed 's/^/# /'
		echo "not ok $n /house/$name"
		failures=$((failures + 1))
	fi
}

distcheck() {
	mkdir "$work/dist" && cd "$work/dist" && "$root/configure" && make -j"$(nproc)" distcheck DISTCHECK_CONFIGURE_FLAGS=
}
without_isal() {
	mkdir "$work/no-isal" && cd "$work/no-isal" && "$root/configure" --without-isal --enable-werror &&
		make -j"$(nproc)" && make -j"$(nproc)" tests/backup/stage/gzip-test && tests/backup/stage/gzip-test
}
# Ends well, and leaves no process behind: each of them names a folder of the run among its arguments.
quickstart() {
	mkdir -m 755 "$work/$1" && TMPDIR=$work/$1 "$root/deploy/quickstart.sh" --once ${2:+"$2"} || return 1
	for _ in $(seq 600); do # what was told to end may take a moment
		pgrep -f "$work/$1/" >/dev/null || return 0
		sleep 0.1
	done
	! pgrep -af "$work/$1/"
}
chmod 755 "$work"
claim distcheck distcheck
claim quickstart-leaves-nothing-running quickstart folder
claim quickstart-with-a-bucket-leaves-nothing-running quickstart bucket --s3
claim builds-and-compresses-without-isal without_isal
echo "1..$n"
[ "$failures" -eq 0 ]
