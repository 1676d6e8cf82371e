#!/bin/bash
# All tests, on a fresh Debian 12 with nothing but the clone: installs what is needed, builds, starts a private PostgreSQL
# and a private Ceph RGW on loopback, runs everything, stops what it started.
# The last line is "N passed, N failed"; the exit status is not 0 if anything failed.
#
# usage: tests/run.sh [PATTERN]      only what matches the extended regular expression, for work on one thing
#   HF_TEST_KEEP=1   keep the work folder (builds, logs) and print its name
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
pattern=${1:-.}
cd "$root"

work=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-tests.XXXXXX")
chmod 755 "$work"
cleanup() {
	status=$?
	trap '' INT TERM HUP
	if [ -n "${runner:-}" ]; then
		kill "$runner" 2>/dev/null || true
		wait "$runner" || true
	fi
	[ ! -x "$root/tests/lib/rgw.sh" ] || HF_RGW_DIR=$work/rgw "$root/tests/lib/rgw.sh" stop >/dev/null 2>&1 || true
	[ ! -x "$root/tests/lib/postgres.sh" ] || "$root/tests/lib/postgres.sh" stop "$work/pg" >/dev/null 2>&1 || true
	if [ -n "${HF_TEST_KEEP:-}" ]; then
		echo "kept: $work" >&2
	else
		rm -rf "$work"
	fi
	exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Anything of the caller's that would be a setting must not reach the tests.
while IFS='=' read -r name _; do
	case $name in
	DB_* | DATABASE_URL | AWS_* | S3_* | BACKUP_* | IMAGE* | JWT_* | INTERNAL_TOKEN* | METRICS_TOKEN* | PG* | FCGI_* | TRIGGER_WAIT_SECONDS | HOLDFAST_PROGRAM | ENABLE_* | DAILY_* | WEEKLY_* | TZ | \
		KEEP_* | PRUNE_* | REPLICA_* | SCRATCH_* | VERIFY_* | SHRINK_* | ARCHIVE_BYTES | ENCRYPT_METADATA | SIGNING_* | NOTIFY_* | SMTP_* | WEBHOOK_* | HEARTBEAT_*) unset "$name" ;;
	esac
done < <(env)
export LC_ALL=C.UTF-8

failed_early() { # NAME LOGFILE: what could not even be built
	tail -n 40 "$2"
	echo "FAIL $1"
	echo "0 passed, 1 failed"
	exit 1
}
make_in() { # FOLDER TARGET...
	local folder=$1
	shift
	make -C "$folder" -j"$(nproc)" "$@" >>"$folder.log" 2>&1 || failed_early "make $* in ${folder##*/}" "$folder.log"
}
build() { # FOLDER [CONFIGURE OPTION...]
	local folder=$1
	shift
	mkdir -p "$folder"
	(cd "$folder" && "$root/configure" "$@") >"$folder.log" 2>&1 || failed_early "configure $*" "$folder.log"
}
# What has threads, under ThreadSanitizer; what has memory of its own kind, under valgrind, as it is shipped.
is_for_tsan() {
	case $1 in
	*/gzip-test | */reorder-test | */relay-test | */digest-test | */hasher-test | */zstd-test | */child-test | */s3-server-test | */job-run-test) ;;
	*) false ;;
	esac
}
is_for_valgrind() {
	case $1 in
	*/auth-test | */stage-test | */members-test | */secret-test | */settings-test | */manifest-test | */scan-test | */s3-sign-test | \
		*/record-test | */job-run-test | */header-test | */age-test) ;;
	*) false ;;
	esac
}
chosen() { # TEST PROGRAM...: those of which TEST is true
	local test=$1 program
	shift
	for program in "$@"; do
		if "$test" "$program"; then echo "$program"; fi
	done
}

deploy/install-packages.sh build run server s3 tests
# Two runs in one clone make ./configure one after the other.
exec 9>"$root/.autogen.lock"
flock 9
[ configure -nt configure.ac ] && [ Makefile.in -nt Makefile.am ] &&
	[ -z "$(find . -name module.am -newer Makefile.in -print -quit)" ] ||
	./autogen.sh >"$work/autogen.log" 2>&1 || failed_early "autogen.sh" "$work/autogen.log"
flock -u 9
exec 9>&-
echo "building with AddressSanitizer and UBSan, ThreadSanitizer, and as it is shipped ..."
# Less optimized where speed does not matter: half the time of compiling.
quick="CFLAGS=-O1 -g1"
build "$work/asan" --enable-werror --enable-sanitizers "$quick"
build "$work/plain" --enable-werror
build "$work/tsan" --enable-werror --enable-sanitizers=thread "$quick"
build "$work/fuzz" --enable-fuzzers CC=clang "$quick"
read -r -a programs < <(make -s -C "$work/asan" list-check-programs)
mapfile -t tsan_programs < <(chosen is_for_tsan "${programs[@]}")
mapfile -t valgrind_programs < <(chosen is_for_valgrind "${programs[@]}")
mapfile -t fuzzers < <(make -s -C "$work/fuzz" list-check-programs | tr ' ' '\n' | grep -- '-fuzz$')
# "all" is a make of its own, and two at once would write the same files.
make_in "$work/asan" all
make_in "$work/asan" check-programs
make_in "$work/plain" all
make_in "$work/plain" "${valgrind_programs[@]}"
make_in "$work/tsan" "${tsan_programs[@]}"
make_in "$work/fuzz" "${fuzzers[@]}"

mkdir "$work/npm"
cp tests/npm/package.json tests/npm/package-lock.json "$work/npm"
(cd "$work/npm" && npm ci --ignore-scripts --no-audit --no-fund) >"$work/npm.log" 2>&1 || failed_early "npm ci" "$work/npm.log"

echo "starting PostgreSQL and Ceph RGW ..."
tests/lib/postgres.sh start "$work/pg" >"$work/pg.log" 2>&1 || failed_early "tests/lib/postgres.sh start" "$work/pg.log"
HF_RGW_DIR=$work/rgw tests/lib/rgw.sh start >"$work/rgw.log" 2>&1 || failed_early "tests/lib/rgw.sh start" "$work/rgw.log"
set -a
# shellcheck disable=SC1091 # made by the lines above
. "$work/pg/env"
# shellcheck disable=SC1091
. "$work/rgw/env"
set +a
export HF_TEST_HOLDFAST=$work/asan/holdfast
export HF_TEST_HOLDFAST_PLAIN=$work/plain/holdfast
export HF_TEST_FUZZERS=$work/fuzz/tests/fuzz
export HF_TEST_SRCDIR=$root
export HF_TEST_NODE_MODULES=$work/npm/node_modules
export TMPDIR=$work/tmp
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1
mkdir "$TMPDIR"
chmod 1777 "$TMPDIR"

list=$work/list
{
	echo "tests/lint.sh"
	for program in "${programs[@]}"; do
		case $program in
		*-test) echo "$work/asan/$program" ;;
		esac
	done
	printf '%s\n' "${tsan_programs[@]/#/$work/tsan/}"
	printf "valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite %s\n" \
		"${valgrind_programs[@]/#/$work/plain/}"
	for script in tests/e2e/*.py tests/fault/*.py tests/fuzz/*.py; do
		[ -e "$script" ] && echo "python3 $script"
	done
	echo "tests/house.sh"
} | grep -E -- "$pattern" >"$list"

mkdir "$work/logs"
# In the background, since bash runs no trap while it waits for a command in the foreground.
python3 tests/lib/run_tap.py --jobs 3 --timeout 1800 --log "$work/logs" "$list" &
runner=$!
status=0
wait "$runner" || status=$?
runner=
exit "$status"
