#!/bin/sh
# The suite starts a throw-away PostgreSQL, Spark and YARN of its own and needs their programs, not running servers; it
# counts instructions with valgrind, and looks at pages in Chromium with what npm has for it. Root on Debian: install
# what is missing. Anyone else: the tests that need it are skipped and say so (in CI they fail).
set -eu

has_postgresql() {
    for folder in $(echo "$PATH" | tr ':' ' ') /usr/lib/postgresql/*/bin; do
        if [ -x "$folder/initdb" ]; then return 0; fi
    done
    return 1
}

missing=
has_postgresql || missing="postgresql"
command -v valgrind >/dev/null || missing="$missing valgrind"
command -v javac >/dev/null || missing="$missing default-jdk-headless"
command -v mvn >/dev/null || missing="$missing maven"
command -v chromium >/dev/null || missing="$missing chromium fonts-dejavu-core"
command -v npm >/dev/null || missing="$missing npm"
if [ -z "$missing" ]; then exit 0; fi

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "not found: $missing; the tests that need it will be skipped" >&2
    exit 0
fi

mkdir -p /etc/postgresql-common
if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.conf
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # words
apt-get install -y -qq --no-install-recommends $missing >/dev/null
