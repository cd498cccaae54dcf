#!/bin/sh
# The gateway as a process of its own, next to the database and away from the site, which it reaches by its names.
#     gateway.sh COUNTERSIGN DATA PYTHON        the program, the site's data directory, a Python with psycopg
# PG_FOLDER and PG_PORT say where PostgreSQL is, COUNTERSIGN_READY_FILE what the site says of itself.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ "${1-}" != --inside ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    # A hosts file of our own: nothing else tells the site's names here.
    unshare -Urm sh "$here/gateway.sh" --inside "$work" "$@"
    exit
fi
work=$2
S=$(jq -r .suffix "$COUNTERSIGN_READY_FILE")
{
    printf '127.0.0.1 localhost\n'
    for name in login management graph; do echo "127.0.0.1 $name.$S"; done
} >"$work/hosts"
mount --bind "$work/hosts" /etc/hosts
COUNTERSIGN=$3 SITE_DATA=$4 PYTHONDONTWRITEBYTECODE=1 "$5" "$here/gateway.py" "$work"
