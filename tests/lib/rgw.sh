#!/bin/bash
# A throw-away S3 server on loopback: one Ceph monitor, one OSD and the RADOS gateway, as plain processes of whoever
# calls.  Ports are picked among the free ones, everything lies in one folder, and two of them run side by side.
#
# usage: tests/lib/rgw.sh start | stop | status | rgw-kill | rgw-start
#   start      makes the folder anew, starts all, and writes FOLDER/env (HF_TEST_S3_* lines, KEY=VALUE)
#   stop       ends all by process id; the folder stays, `start` and `rm -r` clear it
#   rgw-kill   ends only the gateway, as an outage would: the data stays
#   rgw-start  starts it again at the same address
# environment: HF_RGW_DIR=FOLDER (required)   HF_RGW_STORE=memstore (default) | bluestore (for many GB)
#   HF_RGW_BYTES: the store's size, default 4 GiB in memory, 40 GiB (sparse) on disk
set -eu

dir=${HF_RGW_DIR:?set HF_RGW_DIR to a folder of its own}
store=${HF_RGW_STORE:-memstore}
conf=$dir/ceph.conf
starts_max=3 # another program may take a port between our choice and the bind
mon_port="" http_port="" tls_port="" fsid="" # read from FOLDER/ports

fail() {
	echo "rgw: $*" >&2
	exit 1
}

# True while the recorded process runs and is ours: ids are used again by the system.
is_running() {
	local pid
	pid=$(cat "$dir/$1.pid" 2>/dev/null) || return 1
	tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF -- "-c $conf "
}

# KILL, since the data is thrown away, and radosgw takes 5 to 10 s over a TERM.
end() {
	local pid
	if is_running "$1"; then
		pid=$(cat "$dir/$1.pid")
		kill -KILL "$pid" 2>/dev/null || true
		for _ in $(seq 250); do
			is_running "$1" || break
			sleep 0.02
		done
	fi
	rm -f "$dir/$1.pid"
}

stop() {
	for daemon in rgw osd mon; do
		end "$daemon"
	done
}

free_ports() {
	python3 -c '
import socket
held = [socket.socket() for _ in range(3)]
for s in held: s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in held))'
}

# daemon NAME COMMAND...: in the background, without our terminal, its id recorded.
daemon() {
	local name=$1
	shift
	setsid "$@" </dev/null >>"$dir/log/$name.out" 2>&1 &
	echo $! >"$dir/$name.pid"
}

write_conf() {
	local ports fsid bytes
	read -r -a ports < <(free_ports)
	fsid=$(cat /proc/sys/kernel/random/uuid)
	bytes=${HF_RGW_BYTES:-$([ "$store" = memstore ] && echo 4294967296 || echo 42949672960)}
	printf 'mon_port=%s\nhttp_port=%s\ntls_port=%s\nfsid=%s\n' "${ports[@]}" "$fsid" >"$dir/ports"
	cat >"$conf" <<CONF
[global]
fsid = $fsid
mon_host = v2:127.0.0.1:${ports[0]}
ms_bind_ipv4 = true
ms_bind_ipv6 = false
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_msgr1 = false
ms_bind_msgr2 = true
ms_mon_client_mode = crc
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
keyring = /dev/null
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pgp_num = 8
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_warn_on_pool_no_redundancy = false
mon_max_pg_per_osd = 1000
run_dir = $dir/run
admin_socket =
log_file = $dir/log/\$name.log
pid_file =
crash_dir = $dir/log
paxos_propose_interval = 0.05
paxos_min_wait = 0.02
[mon]
mon_data = $dir/mon
mon_initial_members = a
mon_cluster_log_file = $dir/log/cluster.log
mon_data_avail_crit = 1
mon_data_avail_warn = 2
[osd]
osd_data = $dir/osd
osd_objectstore = $store
memstore_device_bytes = $bytes
bluestore_block_size = $bytes
bluestore_fsck_quick_fix_on_mount = false
osd_memory_target = 939524096
osd_op_num_shards = 2
osd_class_load_list = *
osd_class_default_list = *
[client]
rgw_data = $dir/rgw
rgw_frontends = beast endpoint=127.0.0.1:${ports[1]} tcp_nodelay=1 ssl_endpoint=127.0.0.1:${ports[2]} ssl_certificate=$dir/tls.crt ssl_private_key=$dir/tls.key
rgw_dns_name = s3.localhost
rgw_gc_obj_min_wait = 2
rgw_gc_processor_period = 5
rgw_gc_processor_max_time = 5
rgw_enable_usage_log = false
rgw_thread_pool_size = 64
rgw_run_sync_thread = false
CONF
}

start_rgw() {
	daemon rgw radosgw -c "$conf" -n client.rgw -f
	for _ in $(seq 2400); do
		is_running rgw || return 1
		curl -s -o /dev/null "http://127.0.0.1:$http_port/" && return 0
		sleep 0.05
	done
	return 1
}

start_osd() {
	local uuid
	uuid=$(cat /proc/sys/kernel/random/uuid)
	ceph -c "$conf" --connect-timeout 30 osd new "$uuid" >/dev/null || return 1
	ceph-osd -c "$conf" -i 0 --mkfs --osd-uuid "$uuid" >"$dir/log/osd-mkfs.out" 2>&1 || return 1
	daemon osd ceph-osd -c "$conf" -i 0 -f
	for _ in $(seq 600); do
		is_running osd || return 1
		! ceph -c "$conf" osd stat 2>/dev/null | grep -q '1 up' || return 0
		sleep 0.1
	done
	return 1
}

make_user() {
	radosgw-admin -c "$conf" user create --uid="$1" --display-name="$1" --access-key="$2" --secret-key="$3" \
		>"$dir/log/user-$1.json" 2>>"$dir/log/user.err"
}

write_env() {
	cat >"$dir/env.new" <<ENV
HF_TEST_S3_ENDPOINT=http://127.0.0.1:$http_port
HF_TEST_S3_TLS_ENDPOINT=https://127.0.0.1:$tls_port
HF_TEST_S3_CA=$dir/tls.crt
HF_TEST_S3_ACCESS_KEY=$access_key
HF_TEST_S3_SECRET_KEY=$secret_key
HF_TEST_S3_OTHER_ACCESS_KEY=$other_access_key
HF_TEST_S3_OTHER_SECRET_KEY=$other_secret_key
ENV
	mv "$dir/env.new" "$dir/env"
}

start_once() {
	stop
	rm -rf "${dir:?}"/{mon,osd,rgw,run,log,env}
	mkdir -p "$dir"/{mon,osd,rgw,run,log}
	write_conf
	# shellcheck disable=SC1091 # written a moment ago
	. "$dir/ports"
	monmaptool --create --clobber --fsid "$fsid" --set-min-mon-release pacific --enable-all-features \
		--addv a "[v2:127.0.0.1:$mon_port]" "$dir/monmap" >/dev/null || return 1
	ceph-mon -c "$conf" -i a --mkfs --monmap "$dir/monmap" --mon-data "$dir/mon" || return 1
	daemon mon ceph-mon -c "$conf" -i a -f
	start_osd || return 1
	access_key=HFTESTMAIN$RANDOM secret_key=main-$(openssl rand -hex 16)
	other_access_key=HFTESTOTHER$RANDOM other_secret_key=other-$(openssl rand -hex 16)
	make_user main "$access_key" "$secret_key" || return 1
	make_user other "$other_access_key" "$other_secret_key" || return 1
	start_rgw && write_env
}

start() {
	for tool in ceph-mon ceph-osd radosgw radosgw-admin monmaptool curl openssl python3; do
		command -v "$tool" >/dev/null || fail "$tool is missing: deploy/install-packages.sh s3"
	done
	case $dir in
		/*) ;;
		*) fail "HF_RGW_DIR must be an absolute path: \"$dir\"" ;;
	esac
	umask 077
	mkdir -p "$dir"
	trap stop EXIT
	trap 'exit 130' INT TERM HUP
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
		-addext 'subjectAltName=DNS:localhost,DNS:s3.localhost,DNS:*.s3.localhost,IP:127.0.0.1' \
		-keyout "$dir/tls.key" -out "$dir/tls.crt" 2>/dev/null
	for attempt in $(seq $starts_max); do
		if start_once; then
			trap - EXIT
			echo "rgw: ready at http://127.0.0.1:$http_port (folder $dir)"
			return
		fi
		echo "rgw: start $attempt of $starts_max failed" >&2
	done
	tail -n 5 "$dir"/log/*.out >&2 || true
	fail "could not be started: see $dir/log"
}

status() {
	for daemon in mon osd rgw; do
		if is_running "$daemon"; then
			pid=$(cat "$dir/$daemon.pid")
			echo "$daemon: pid $pid, $(awk '/VmRSS/ { print $2 }' "/proc/$pid/status") KiB"
		else
			echo "$daemon: not running"
		fi
	done
}

case ${1:-} in
	start) start ;;
	stop) stop ;;
	status) status ;;
	rgw-kill) end rgw ;;
	rgw-start)
		# shellcheck disable=SC1091 # written by start
		. "$dir/ports"
		start_rgw || fail "the gateway did not come back: see $dir/log"
		;;
	*)
		echo "usage: tests/lib/rgw.sh start|stop|status|rgw-kill|rgw-start" >&2
		exit 2
		;;
esac
