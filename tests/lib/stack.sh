#!/bin/bash
# The whole web stack on loopback, for tests, benchmarks and the quickstart: nginx with a certificate of its own, the
# snippets of nginx/ as they are shipped, and spawn-fcgi -> multiwatch -> N workers on a unix socket, all in one folder,
# on a port that it finds itself.  Nothing outside the folder is touched.
#
# usage: tests/lib/stack.sh start|stop|pool-start|pool-stop|env FOLDER
#   start       starts it, writes FOLDER/env (below) and prints it; what was started is stopped where it fails
#   stop        ends all of it, by process id, and the workers first in order; fine where it does not run
#   pool-stop   ends the workers alone: nginx stays and answers 503
#   pool-start  starts them again on the same socket
#   env         prints FOLDER/env: HF_STACK_URL (https://127.0.0.1:PORT), HF_STACK_CA (its certificate, for curl --cacert),
#               HF_STACK_SOCKET, HF_STACK_LOG (the workers' log), HF_STACK_POOL (multiwatch's process id)
#
# Settings reach the workers through the environment, or HF_STACK_ENV_FILE.  The environment may say, besides:
#   HF_STACK_WORKER         the program; else holdfast-fcgi beside $HF_TEST_HOLDFAST
#   HF_STACK_WORKERS        how many (4); becomes FCGI_WORKERS
#   HF_STACK_NGINX_WORKERS  1
#   HF_STACK_SERVER_CONF    a file that is included in the server block: another handler to compare with, say
#   HF_STACK_NO_LIMITS      1: without the limits by address, for benchmarks
set -eu

usage() {
	sed -n '/^# usage/,/^#   env/s/^# \{0,1\}//p' "$0" >&2
	exit 2
}

fail() {
	echo "stack.sh: $*" >&2
	exit 1
}

[ $# -eq 2 ] || usage
command=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$2"
folder=$(cd "$2" && pwd)
worker=${HF_STACK_WORKER:-${HF_TEST_HOLDFAST:+${HF_TEST_HOLDFAST%/*}/holdfast-fcgi}}
workers=${HF_STACK_WORKERS:-4}
socket=$folder/run/fcgi.sock

# Process ids come from files of ours; the program's name is compared, since the system may have given the id away.
is_ours() { # PID NAME
	[ -n "$1" ] && [ "$(cat "/proc/$1/comm" 2>/dev/null)" = "$2" ]
}

wait_gone() { # PID NAME
	for _ in $(seq 400); do
		is_ours "$1" "$2" || return 0
		sleep 0.025
	done
	return 1
}

end() { # FILE NAME SIGNAL
	local pid
	pid=$(cat "$1" 2>/dev/null || true)
	if is_ours "$pid" "$2"; then
		kill "-$3" "$pid" 2>/dev/null || true
		wait_gone "$pid" "$2" || {
			kill -KILL "$pid" 2>/dev/null || true
			wait_gone "$pid" "$2" || fail "process $pid ($2) does not end"
		}
	fi
	rm -f "$1"
}

pool_stop() {
	local pid child children=''
	pid=$(cat "$folder/run/pool.pid" 2>/dev/null || true)
	! is_ours "$pid" multiwatch || children=$(ps -o pid= --ppid "$pid" || true)
	end "$folder/run/pool.pid" multiwatch TERM
	for child in $children; do
		! is_ours "$child" "$(basename "${worker:-holdfast-fcgi}" | cut -c1-15)" || kill -KILL "$child" 2>/dev/null || true
	done
	rm -f "$socket"
}

stop() {
	end "$folder/run/nginx.pid" nginx QUIT
	pool_stop
}

# nginx answers a port that somebody else took with an error, and the next one is tried.
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

pool_start() {
	local pid group=()
	[ -x "$worker" ] || fail "no worker at \"$worker\": build holdfast-fcgi, or set HF_STACK_WORKER"
	# nginx's workers are of another group where the master is root's.
	[ "$(id -u)" -ne 0 ] || group=(-G "$(id -gn "$nginx_user")")
	rm -f "$socket"
	# -r: by default multiwatch gives a child up that ends more than three times within ten seconds.
	FCGI_WORKERS=$workers setsid spawn-fcgi -n -s "$socket" -M 0660 "${group[@]}" -- \
		/usr/bin/multiwatch -r 1000000 -f "$workers" -- "$worker" \
		${HF_STACK_ENV_FILE:+"--env-file=$HF_STACK_ENV_FILE"} </dev/null >>"$folder/pool.log" 2>&1 &
	pid=$!
	echo "$pid" >"$folder/run/pool.pid"
	for _ in $(seq 4000); do
		! is_ours "$pid" multiwatch || [ ! -S "$socket" ] || return 0
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.025
	done
	fail "the pool did not start: $(tail -n 3 "$folder/pool.log" | tr '\n' ' ')"
}

certificate() {
	[ ! -f "$folder/tls/cert.pem" ] || return 0
	mkdir -p "$folder/tls"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
		-addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' -addext basicConstraints=critical,CA:TRUE \
		-keyout "$folder/tls/key.pem" -out "$folder/tls/cert.pem" 2>"$folder/tls/log" ||
		fail "openssl made no certificate: $(tail -n 1 "$folder/tls/log")"
	chmod 600 "$folder/tls/key.pem"
}

configure() { # PORT
	sed "s|unix:/run/holdfast/fcgi.sock|unix:$socket|" "$root/nginx/holdfast-http.conf" >"$folder/holdfast-http.conf"
	cp "$root/nginx/holdfast-tls.conf" "$root/nginx/holdfast.conf" "$folder/"
	[ -z "${HF_STACK_NO_LIMITS:-}" ] || sed -i '/^[[:space:]]*limit_\(req\|conn\)/d' "$folder/holdfast.conf"
	[ "$(id -u)" -ne 0 ] || printf 'user %s %s;\n' "$nginx_user" "$(id -gn "$nginx_user")" >"$folder/nginx.conf.new"
	cat >>"$folder/nginx.conf.new" <<-END
		worker_processes ${HF_STACK_NGINX_WORKERS:-1};
		pid $folder/run/nginx.pid;
		error_log $folder/nginx-error.log warn;
		events {
		    worker_connections 2048;
		}
		http {
		    client_body_temp_path $folder/temp/body;
		    fastcgi_temp_path $folder/temp/fastcgi;
		    proxy_temp_path $folder/temp/proxy;
		    uwsgi_temp_path $folder/temp/uwsgi;
		    scgi_temp_path $folder/temp/scgi;
		    include $folder/holdfast-http.conf;
		    server {
		        listen 127.0.0.1:$1 ssl http2 backlog=1024;
		        server_name localhost;
		        ssl_certificate $folder/tls/cert.pem;
		        ssl_certificate_key $folder/tls/key.pem;
		        include $folder/holdfast-tls.conf;
		        access_log ${HF_STACK_NO_LIMITS:+off; #}$folder/nginx-access.log holdfast;
		        include $folder/holdfast.conf;
		        ${HF_STACK_SERVER_CONF:+include $HF_STACK_SERVER_CONF;}
		        location / {
		            return 404;
		        }
		    }
		}
	END
	mv "$folder/nginx.conf.new" "$folder/nginx.conf"
}

# What was called ends when the server has forked, and a moment before that has written its file.
wait_nginx_pid() {
	for _ in $(seq 4000); do
		[ ! -s "$folder/run/nginx.pid" ] || return 0
		sleep 0.025
	done
	fail "nginx wrote no process id: $(tail -n 3 "$folder/nginx-error.log" | tr '\n' ' ')"
}

nginx_start() {
	local port
	for _ in 1 2 3 4 5; do
		port=$(cat "$folder/port" 2>/dev/null || free_port)
		configure "$port"
		if setsid nginx -p "$folder/" -c "$folder/nginx.conf" -e "$folder/nginx-error.log" \
			</dev/null >"$folder/nginx-start.log" 2>&1; then
			echo "$port" >"$folder/port"
			wait_nginx_pid
			return
		fi
		grep -q 'Address already in use' "$folder/nginx-start.log" || break
		rm -f "$folder/port"
	done
	fail "nginx did not start: $(tail -n 3 "$folder/nginx-start.log" | tr '\n' ' ')"
}

write_env() {
	cat >"$folder/env.new" <<-END
		HF_STACK_URL=https://127.0.0.1:$(cat "$folder/port")
		HF_STACK_CA=$folder/tls/cert.pem
		HF_STACK_SOCKET=$socket
		HF_STACK_LOG=$folder/pool.log
		HF_STACK_POOL=$(cat "$folder/run/pool.pid")
	END
	mv "$folder/env.new" "$folder/env"
}

# As root nginx's workers change to a user of their own, who must be able to get to the socket.
choose_nginx_user() {
	local path=$folder
	nginx_user=$(id -un)
	[ "$(id -u)" -eq 0 ] || return 0
	! getent passwd www-data >/dev/null || nginx_user=www-data
	[ "$nginx_user" != root ] || return 0
	chmod a+x "$folder"
	while [ -n "$path" ]; do
		setpriv --reuid "$nginx_user" --regid "$(id -g "$nginx_user")" --clear-groups test -x "$path" || {
			nginx_user=root
			return 0
		}
		path=${path%/*}
	done
}

stop_unless_good() {
	local status=$?
	trap '' INT TERM HUP
	[ "$status" -eq 0 ] || stop
	exit "$status"
}

start() {
	trap stop_unless_good EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	mkdir -p "$folder/run" "$folder/temp"
	choose_nginx_user
	chown "$nginx_user" "$folder/temp"
	if ! is_ours "$(cat "$folder/run/pool.pid" 2>/dev/null || true)" multiwatch; then
		pool_start
	fi
	if ! is_ours "$(cat "$folder/run/nginx.pid" 2>/dev/null || true)" nginx; then
		certificate
		nginx_start
	fi
	write_env
	cat "$folder/env"
}

case $command in
	start) start ;;
	stop) stop ;;
	pool-stop) pool_stop ;;
	pool-start)
		choose_nginx_user
		pool_start
		write_env
		;;
	env) cat "$folder/env" ;;
	*) usage ;;
esac
