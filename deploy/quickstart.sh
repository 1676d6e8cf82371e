#!/bin/bash
# Shows the whole of Holdfast on this machine, on loopback, with nothing but the clone: installs the packages, builds,
# starts a private PostgreSQL with sample data and a folder of images, and the service: nginx with a certificate of its own,
# the pool, the timer.  Triggers a full backup with curl and a token, proves it, restores it elsewhere, and compares.
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

# A dozen small pictures (PNG), in folders as an application has them.
draw_images() { # FOLDER
	python3 - "$1" <<-'PROGRAM'
		import os, struct, sys, zlib

		def chunk(kind, data):
		    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

		for number in range(1, 13):
		    folder = os.path.join(sys.argv[1], "products", f"{number:03d}")
		    os.makedirs(folder)
		    rows = b"".join(b"\0" + bytes((x * number ^ y * number) & 255 for x in range(64) for _ in "rgb") for y in range(64))
		    with open(os.path.join(folder, "front view.png"), "wb") as image:
		        image.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0)) +
		                    chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
	PROGRAM
}
say() { printf '\n== %s\n' "$*"; }
run() { # prints the command as a user would type it, then runs it
	printf '$ %s\n' "${*//$holdfast/holdfast}"
	"$@"
}

# Anything of the caller's that would be a setting would count before the env file that is written below.
while IFS='=' read -r name _; do
	case $name in
	DB_* | DATABASE_URL | AWS_* | S3_* | BACKUP_* | IMAGE* | PG* | JWT_* | INTERNAL_TOKEN* | METRICS_TOKEN* | FCGI_* | HF_STACK_* | TZ | \
		ENABLE_* | DAILY_* | WEEKLY_* | TRIGGER_* | HOLDFAST_* | SCRATCH_* | VERIFY_* | KEEP_* | ENCRYPT_METADATA | SIGNING_* | REPLICA_* | NOTIFY_* | SMTP_* | WEBHOOK_* | HEARTBEAT_*) unset "$name" ;;
	esac
done < <(env)

# Cancels what still runs, and waits for its end.
end_jobs() {
	local job
	for job in $("$holdfast" --env-file "$work/holdfast.env" jobs --json 2>/dev/null | python3 -c 'import json, sys
print(*[job["id"] for job in json.load(sys.stdin)["jobs"] if job["status"] in ("queued", "running")])'); do
		"$holdfast" --env-file "$work/holdfast.env" jobs "$job" --cancel >/dev/null 2>&1 || true
		timeout 60 "$holdfast" --env-file "$work/holdfast.env" jobs "$job" --follow >/dev/null 2>&1 || true
	done
}

work=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-quickstart.XXXXXX")
chmod 755 "$work"
timer=''
cleanup() {
	status=$?
	trap '' INT TERM HUP
	if [ -n "$timer" ]; then
		kill "$timer" 2>/dev/null || true
		wait "$timer" 2>/dev/null || true
	fi
	# What was triggered is a process of its own, and uses the database that goes next.
	[ ! -d "$work/state" ] || end_jobs
	[ ! -d "$work/stack" ] || "$root/tests/lib/stack.sh" stop "$work/stack" >/dev/null 2>&1 || true
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
# Neither of the timer's runs is to come between what is shown here, at whatever hour that is.
later=$(date -u -d '12 hours' '+%-M %-H')
cat >"$work/holdfast.env" <<SETTINGS
DB_HOST=127.0.0.1
DB_PORT=${server##*:}
DB_NAME=shop
DB_USER=${login%%:*}
DB_PASSWORD=${password%%@*}
IMAGES_DIR=$work/images
BACKUP_STATE_DIR=$work/state
JWT_SECRET_FILE=$work/jwt-secret
FCGI_SOCKET=$work/stack/run/fcgi.sock
ENABLE_DAILY_BACKUP=true
ENABLE_WEEKLY_BACKUP=true
DAILY_BACKUP_SCHEDULE=$later * * *
WEEKLY_BACKUP_SCHEDULE=$later * * 0
SETTINGS
# What the application would sign its administrators' tokens with.
openssl rand -hex 32 >"$work/jwt-secret"
draw_images "$work/images"
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
settings=(--env-file "$work/holdfast.env")

say "is everything in place?"
run "$holdfast" "${settings[@]}" doctor
say "the service: nginx with a certificate of its own, a pool of workers, the timer"
# nginx's workers, of another user where this is root, must get to the socket.
(umask 022 && HF_STACK_ENV_FILE=$work/holdfast.env HF_STACK_WORKER=${holdfast}-fcgi HF_STACK_WORKERS=2 \
	tests/lib/stack.sh start "$work/stack" >/dev/null)
# shellcheck disable=SC1091 # made by the line above
. "$work/stack/env"
"${holdfast}-timer" "${settings[@]}" </dev/null 2>"$work/timer.log" &
timer=$!
run "$holdfast" "${settings[@]}" schedule

cd "$work"
# An administrator's token, as the application gives them.
token=$("$holdfast" "${settings[@]}" token)
ask() { # METHOD PATH [STATUS]: prints the command, without the token itself, and the reply; fails where that has another status
	printf '$ curl -X %s --cacert %s %s%s\n' "$1" "$HF_STACK_CA" "${token:+-H \"Authorization: Bearer \$token\" }" "$HF_STACK_URL$2"
	curl -sS -X "$1" --cacert "$HF_STACK_CA" ${token:+-H "Authorization: Bearer $token"} -o "$work/reply.json" \
		-w '%{http_code}' "$HF_STACK_URL$2" >"$work/code"
	printf '%s %s\n' "$(cat "$work/code")" "$(cat "$work/reply.json")"
	[ "$(cat "$work/code")" = "${3:-200}" ]
}
say "without a token nothing happens"
token='' ask POST /api/backup/trigger 401
say "the backup, triggered as an admin page would"
ask POST /api/backup/trigger
say "its status"
ask GET /api/backup/status
run "$holdfast" "${settings[@]}" list
run "$holdfast" "${settings[@]}" jobs
say "the proof: read back, digests, every row and every image"
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
say "the images, into another folder"
run "$holdfast" "${settings[@]}" restore images latest --to "$work/images-restored"
diff -r "$work/images" "$work/images-restored"
echo "equal: $(find "$work/images-restored" -type f | wc -l) images"

[ -n "$s3" ] || { say "what lies in the folder" && ls -l "$work/backups"; }
say "done"
echo "On a host of your own: make install, then /etc/holdfast/holdfast.env and systemctl enable --now holdfast-pool holdfast-timer (README.md)."
if [ -z "$once" ]; then
	echo "All of it stays up until Ctrl-C; the timer's log is $work/timer.log.  In another terminal:"
	echo "  token=\$($holdfast --env-file $work/holdfast.env token)"
	echo "  curl --cacert $HF_STACK_CA -H \"Authorization: Bearer \$token\" $HF_STACK_URL/api/backup/status"
	echo "  curl --cacert $HF_STACK_CA -H \"Authorization: Bearer \$token\" -X POST $HF_STACK_URL/api/backup/trigger"
	echo "  $holdfast --env-file $work/holdfast.env jobs"
	echo "  $holdfast --env-file $work/holdfast.env show latest"
	echo "  $holdfast --env-file $work/holdfast.env cat latest restore.txt"
	echo "  psql '$copy'    (password: $PGPASSWORD)"
	while :; do sleep 3600 & wait $!; done
fi
