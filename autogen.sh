#!/bin/sh
# Makes ./configure from a clone.  Then: mkdir build && cd build && ../configure && make
set -eu
cd "$(dirname "$0")"
exec autoreconf --install --warnings=all
