#!/bin/sh
# The suite starts a throw-away PostgreSQL of its own and needs its programs, not a running server.
# Root on Debian: install them. Anyone else: the tests that need them are skipped and say so (in CI they fail).
set -eu

for folder in $(echo "$PATH" | tr ':' ' ') /usr/lib/postgresql/*/bin; do
    if [ -x "$folder/initdb" ]; then exit 0; fi
done

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "no PostgreSQL server programs found: tests on PostgreSQL will be skipped" >&2
    exit 0
fi

mkdir -p /etc/postgresql-common
if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.conf
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends postgresql >/dev/null
