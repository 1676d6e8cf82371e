#!/bin/bash
# Shows the whole of Holdfast on this machine, on loopback, with nothing but the clone: installs the packages, builds,
# starts a private PostgreSQL with sample data, backs it up, proves the backup, restores it elsewhere, and compares.
# On a terminal everything stays up to be looked at until Ctrl-C; whatever was started is stopped at the end.
#
# usage: deploy/quickstart.sh [--once] [--s3]
#   --once   end by itself (the default where there is no terminal)
#   --s3     a local Ceph RGW as the bucket, instead of a folder
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

once=''
s3=''
for word in "$@"; do
	case $word in
	--once) once=1 ;;
	--s3) s3=1 ;;
	*)
		sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
		[ "$word" = --help ] && exit 0
		exit 2
		;;
	esac
done
[ -t 0 ] && [ -t 1 ] || once=1

say() { printf '\n== %s\n' "$*"; }
run() { # prints the command as a user would type it, then runs it
	printf '$ %s\n' "${*//$holdfast/holdfast}"
	"$@"
}

# Anything of the caller's that would be a setting would count before the env file that is written below.
while IFS='=' read -r name _; do
	case $name in
	DB_* | DATABASE_URL | AWS_* | S3_* | BACKUP_* | IMAGE* | PG*) unset "$name" ;;
	esac
done < <(env)

work=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-quickstart.XXXXXX")
chmod 755 "$work"
cleanup() {
	status=$?
	trap '' INT TERM HUP
	[ -z "$s3" ] || HF_RGW_DIR=$work/rgw "$root/tests/lib/rgw.sh" stop >/dev/null 2>&1 || true
	"$root/tests/lib/postgres.sh" stop "$work/pg" >/dev/null 2>&1 || true
	rm -rf "$work"
	exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

say "installing packages"
# shellcheck disable=SC2086 # s3 is a word or nothing
deploy/install-packages.sh build run server ${s3:+s3}

say "building"
exec 9>"$root/.autogen.lock"
flock 9
[ configure -nt configure.ac ] || ./autogen.sh >"$work/build.log" 2>&1 || { tail "$work/build.log" && exit 1; }
mkdir -p build/quickstart
(cd build/quickstart && { [ -f Makefile ] || "$root/configure"; } && make -j"$(nproc)") >"$work/build.log" 2>&1 ||
	{ tail -n 30 "$work/build.log" && exit 1; }
flock -u 9
exec 9>&-
holdfast=$root/build/quickstart/holdfast
"$holdfast" --version

say "starting a private PostgreSQL with sample data"
tests/lib/postgres.sh start "$work/pg" >/dev/null
# shellcheck disable=SC1091 # made by the line above
. "$work/pg/env"
server=${HF_TEST_PG_URL%/*}
psql -qX -d "$HF_TEST_PG_URL" -c 'CREATE DATABASE shop'
psql -qX -d "$server/shop" -f deploy/sample.sql

login=${server#postgres://}
password=${login#*:}
umask 077
cat >"$work/holdfast.env" <<SETTINGS
DB_HOST=127.0.0.1
DB_PORT=${server##*:}
DB_NAME=shop
DB_USER=${login%%:*}
DB_PASSWORD=${password%%@*}
BACKUP_STATE_DIR=$work/state
SETTINGS
if [ -n "$s3" ]; then
	say "starting Ceph RGW as the bucket"
	HF_RGW_DIR=$work/rgw tests/lib/rgw.sh start >/dev/null
	# shellcheck disable=SC1091
	. "$work/rgw/env"
	# curl leaves out this header for an empty body, and the server wants it: the SHA-256 of nothing.
	nothing=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
	curl -sSf -H "x-amz-content-sha256: $nothing" --cacert "$HF_TEST_S3_CA" --aws-sigv4 aws:amz:us-east-1:s3 -X PUT -o /dev/null \
		--user "$HF_TEST_S3_ACCESS_KEY:$HF_TEST_S3_SECRET_KEY" "$HF_TEST_S3_TLS_ENDPOINT/backups-of-shop"
	cat >>"$work/holdfast.env" <<SETTINGS
S3_BACKUP_BUCKET=backups-of-shop
AWS_ENDPOINT_URL=$HF_TEST_S3_TLS_ENDPOINT
AWS_CA_BUNDLE=$HF_TEST_S3_CA
AWS_ACCESS_KEY_ID=$HF_TEST_S3_ACCESS_KEY
AWS_SECRET_ACCESS_KEY=$HF_TEST_S3_SECRET_KEY
SETTINGS
else
	echo "BACKUP_DIR=$work/backups" >>"$work/holdfast.env"
fi
cd "$work"
settings=(--env-file "$work/holdfast.env")

say "is everything in place?"
run "$holdfast" "${settings[@]}" doctor
say "the backup"
run "$holdfast" "${settings[@]}" backup database
run "$holdfast" "${settings[@]}" list
say "the proof: read back, digests, every row counted"
run "$holdfast" "${settings[@]}" verify latest --level 2
say "the restore, into another database"
export PGPASSWORD=${password%%@*}
copy=postgres://${login%%:*}@127.0.0.1:${server##*:}/shop_restored
run "$holdfast" "${settings[@]}" restore database latest --create --to "$copy"

say "are both the same? (stock pg_dump of each, compared)"
# The two differ in the random words of \restrict alone.
for database in shop shop_restored; do
	pg_dump -d "$server/$database" | grep -v '^\\\(un\)\?restrict ' >"$work/$database.sql"
done
cmp "$work/shop.sql" "$work/shop_restored.sql"
echo "equal: $(wc -l <"$work/shop.sql") lines"

[ -n "$s3" ] || { say "what lies in the folder" && ls -l "$work/backups"; }
say "done"
if [ -z "$once" ]; then
	echo "The database and the backups stay up until Ctrl-C.  In another terminal:"
	echo "  $holdfast --env-file $work/holdfast.env show latest"
	echo "  $holdfast --env-file $work/holdfast.env cat latest restore.txt"
	echo "  psql '$copy'    (password: $PGPASSWORD)"
	while :; do sleep 3600 & wait $!; done
fi
