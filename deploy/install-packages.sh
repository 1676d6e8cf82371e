#!/bin/bash
# Installs the Debian packages that Holdfast needs.  Nothing else is changed on the machine: where PostgreSQL's server is
# not yet installed, Debian's habit of creating and starting a cluster of its own is switched off for this installation.
#
# usage: deploy/install-packages.sh GROUP...      groups: build run server s3 tests bench
set -eu

usage() {
	echo "usage: deploy/install-packages.sh [build] [run] [server] [s3] [tests] [bench]" >&2
	exit 2
}

# Node.js from other places than Debian (nodesource) brings npm along, and does not go with Debian's.
npm_package() {
	command -v npm >/dev/null || echo npm
}

packages() {
	case $1 in
	build) # what it takes to compile
		echo build-essential autoconf automake pkg-config libglib2.0-dev libpq-dev libcurl4-openssl-dev libssl-dev libarchive-dev \
			zlib1g-dev libisal-dev libzstd-dev libjson-c-dev libxxhash-dev libjwt-dev libjansson-dev libsqlite3-dev \
			libfcgi-dev python3-yaml ca-certificates
		;;
	run) # what the programs call: pg_dump and psql; what the service runs under; time zones
		echo postgresql-client spawn-fcgi multiwatch tzdata
		;;
	server) # a private PostgreSQL, and nginx with the pool of workers, started by our scripts
		echo postgresql nginx spawn-fcgi multiwatch openssl procps
		;;
	s3) # Ceph RGW as the S3 server, also on loopback
		echo radosgw ceph-mon ceph-osd ceph-common curl openssl
		;;
	tests) # the judges: other programs that read what we write; and the checks of the code
		echo python3 python3-yaml python3-jsonschema awscli systemd strace tzdata zstd gzip libarchive-tools pigz valgrind faketime procps man-db clang-format pmccabe shellcheck \
			age minisign prometheus clang libclang-rt-14-dev file bsdextrautils python3-aiosmtpd nodejs "$(npm_package)"
		;;
	bench) # what a user would use instead
		echo python3 pigz zstd restic pgbackrest rclone procps wrk openssl nodejs "$(npm_package)"
		;;
	*) usage ;;
	esac
}

[ $# -gt 0 ] || usage
wanted=
for group in "$@"; do
	wanted="$wanted $(packages "$group")" || usage
done

missing=
for package in $wanted; do
	state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
	echo "install-packages: these Debian packages are missing, run as root: apt-get install$missing" >&2
	exit 1
fi

quiet_cluster=
case "$missing" in
	*postgresql*)
		if ! dpkg-query -W postgresql-common >/dev/null 2>&1; then
			quiet_cluster=/etc/postgresql-common/createcluster.d/holdfast-install.conf
			mkdir -p "${quiet_cluster%/*}"
			echo "create_main_cluster = false" >"$quiet_cluster"
			trap 'rm -f "$quiet_cluster"' EXIT
		fi
		;;
esac

# A package's server is not started, unless somebody else has said what is.
quiet_start=
if [ ! -e /usr/sbin/policy-rc.d ]; then
	quiet_start=/usr/sbin/policy-rc.d
	printf '#!/bin/sh\nexit 101\n' >"$quiet_start"
	chmod 755 "$quiet_start"
	trap 'rm -f $quiet_cluster "$quiet_start"' EXIT
fi

export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
# shellcheck disable=SC2086 # a list of words
if ! { apt-get update -q && apt-get install -y -q --no-install-recommends $missing; } >"$log" 2>&1; then
	tail -n 30 "$log" >&2
	rm -f "$log"
	echo "install-packages: apt-get could not install:$missing" >&2
	exit 1
fi
rm -f "$log"
