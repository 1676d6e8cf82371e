#!/bin/bash
# A private PostgreSQL for tests, benchmarks and the quickstart: a real server on loopback in a folder of its own, on a
# port that it finds itself, with password authentication over TCP and no socket file.  Nothing outside the folder is
# touched.  As root the server runs as "postgres", or as "nobody" where there is no such user.
#
# usage: tests/lib/postgres.sh start|stop|restart|crash|env FOLDER
#   start    makes the cluster where FOLDER holds none, starts it, writes FOLDER/env (HF_TEST_PG_URL=...) and prints it
#   stop     ends it, whatever connections there are; fine where it does not run
#   restart  stop, then start on the same port with the same data and password
#   crash    SIGKILL for every process of the server; start recovers it
#   env      prints FOLDER/env
#
# The environment may say: HF_PG_MAJOR (the newest that is installed), HF_PG_SHARED_BUFFERS (128MB), and HF_PG_OPTIONS,
# more lines for postgresql.conf.  fsync is off: what is in such a server may be lost with the machine.
set -eu

usage() {
	echo "usage: tests/lib/postgres.sh start|stop|restart|crash|env FOLDER" >&2
	exit 2
}

fail() {
	echo "postgres.sh: $*" >&2
	exit 1
}

[ $# -eq 2 ] || usage
command=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd)
data=$folder/data

find_bin() {
	local major=${HF_PG_MAJOR:-}
	[ -n "$major" ] || major=$(find /usr/lib/postgresql -mindepth 1 -maxdepth 1 -printf '%f\n' 2>/dev/null | sort -n | tail -n 1)
	[ -x "/usr/lib/postgresql/$major/bin/postgres" ] ||
		fail "no PostgreSQL server below /usr/lib/postgresql: run deploy/install-packages.sh server"
	echo "/usr/lib/postgresql/$major/bin"
}

# The user that owns the cluster: initdb and postgres refuse to run as root.
owner=
if [ "$(id -u)" -eq 0 ]; then
	owner=nobody
	! getent passwd postgres >/dev/null || owner=postgres
fi

as_owner() {
	if [ -n "$owner" ]; then
		setpriv --reuid "$owner" --regid "$(id -g "$owner")" --clear-groups -- "$@"
	else
		"$@"
	fi
}

random_word() {
	od -An -N16 -tx1 /dev/urandom | tr -d ' \n'
}

# A port that nobody listens on now, below the range that the kernel gives to outgoing connections.
free_port() {
	local port
	for _ in $(seq 200); do
		port=$((16384 + (RANDOM * 32768 + RANDOM) % 16000))
		if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
			echo "$port"
			return
		fi
	done
	fail "no free port was found"
}

# The server's user must be able to pass through every folder above its own; mktemp -d makes those for root alone.
open_way() {
	local path=$folder
	as_owner test -x "$folder" && return
	chmod a+x "$folder"
	as_owner test -x "$folder" && return
	while [ "$path" != / ]; do
		path=${path%/*}
		path=${path:-/}
		as_owner test -x "$path" || fail "user \"$owner\" cannot enter \"$path\": chmod a+x it, or choose another folder"
	done
}

make_cluster() {
	local bin=$1
	random_word >"$folder/password"
	chmod 600 "$folder/password"
	[ -z "$owner" ] || open_way
	rm -rf "$data"
	mkdir -m 700 "$data"
	[ -z "$owner" ] || chown "$owner" "$data"
	cp -p "$folder/password" "$folder/password.initdb"
	[ -z "$owner" ] || chown "$owner" "$folder/password.initdb"
	as_owner "$bin/initdb" --pgdata "$data" --username holdfast --pwfile "$folder/password.initdb" --auth scram-sha-256 \
		--encoding UTF8 --locale C.UTF-8 --no-sync --no-instructions >"$folder/initdb.log" 2>&1 ||
		fail "initdb failed: $(tail -n 3 "$folder/initdb.log" | tr '\n' ' ')"
	rm "$folder/password.initdb"
	{
		echo "listen_addresses = '127.0.0.1'"
		echo "unix_socket_directories = ''"
		echo "fsync = off"
		echo "full_page_writes = off"
		echo "synchronous_commit = off"
		echo "shared_buffers = ${HF_PG_SHARED_BUFFERS:-128MB}"
		echo "max_wal_size = 4GB"
		echo "max_locks_per_transaction = 256"
		echo "logging_collector = off"
		echo "${HF_PG_OPTIONS:-}"
	} >>"$data/postgresql.conf"
}

server_pid() {
	[ -f "$data/postmaster.pid" ] || return 1
	local pid
	pid=$(head -n 1 "$data/postmaster.pid")
	# A stale file may name somebody else's process by now: ours has our folder among its arguments.
	{ tr '\0' '\n' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -qxF "$data" || return 1
	echo "$pid"
}

write_env() {
	local port=$1
	(
		umask 077
		echo "HF_TEST_PG_URL=postgres://holdfast:$(cat "$folder/password")@127.0.0.1:$port/postgres" >"$folder/env.new"
	)
	mv "$folder/env.new" "$folder/env"
}

is_ready() {
	local line
	line=$(sed -n 8p "$data/postmaster.pid" 2>/dev/null || true)
	[ "${line%% *}" = ready ]
}

# True once it answers.  A port may be taken between the look and the bind, so the caller tries another one then.
launch() {
	local bin=$1 port=$2
	rm -f "$folder/server.log"
	as_owner setsid "$bin/postgres" -D "$data" -p "$port" <"/dev/null" >"$folder/server.log" 2>&1 &
	local pid=$!
	for _ in $(seq 2400); do
		! is_ready || return 0
		kill -0 "$pid" 2>/dev/null || return 1
		sleep 0.05
	done
	kill -QUIT "$pid" 2>/dev/null || true
	return 1
}

start() {
	local bin port
	bin=$(find_bin)
	if server_pid >/dev/null; then
		cat "$folder/env"
		return
	fi
	[ -f "$data/PG_VERSION" ] || make_cluster "$bin"
	rm -f "$data/postmaster.pid"
	for _ in 1 2 3 4 5; do
		port=$(cat "$folder/port" 2>/dev/null || free_port)
		if launch "$bin" "$port"; then
			echo "$port" >"$folder/port"
			write_env "$port"
			cat "$folder/env"
			return
		fi
		grep -q 'Address already in use' "$folder/server.log" || break
		rm -f "$folder/port"
	done
	stop
	fail "the server did not start: $(tail -n 3 "$folder/server.log" | tr '\n' ' ')"
}

wait_gone() {
	for _ in $(seq 200); do
		kill -0 "$1" 2>/dev/null || return 0
		sleep 0.05
	done
	return 1
}

# "fast" (INT) rolls back what goes on; "immediate" (QUIT) where that takes too long.
stop() {
	local pid
	pid=$(server_pid) || return 0
	kill -INT "$pid" 2>/dev/null || return 0
	wait_gone "$pid" && return
	kill -QUIT "$pid" 2>/dev/null || return 0
	wait_gone "$pid" || fail "server process $pid does not end"
}

# The backends first: those that outlive their parent would keep the shared memory, and so the folder, busy.
crash() {
	local pid child children
	pid=$(server_pid) || fail "no server runs in \"$folder\""
	kill -STOP "$pid"
	children=$(ps -o pid= --ppid "$pid" || true)
	for child in $children; do
		kill -KILL "$child" 2>/dev/null || true
	done
	kill -KILL "$pid"
	for child in $pid $children; do
		wait_gone "$child" || fail "server process $child does not end"
	done
}

case $command in
	start) start ;;
	stop) stop ;;
	restart)
		stop
		start
		;;
	crash) crash ;;
	env) cat "$folder/env" ;;
	*) usage ;;
esac
