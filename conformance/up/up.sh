#!/bin/sh
# A site as people start it by hand: `countersign up` on its default ports, clients pointed at it by `countersign env`.
#
#   up.sh COUNTERSIGN DATA SUITE...     SUITE is a folder beside this one with a run.sh
#
# It is played in namespaces, so that the ports are free and the hosts file is ours; no root is needed. Unlike under
# `countersign run` the port is not 443, no name but those in the hosts file resolves, and nothing is mounted for clients.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

if [ "${1-}" != --inside ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    unshare -Urnm sh "$here/up.sh" --inside "$work" "$@"
    exit
fi

shift
work=$1 countersign=$2 data=$3
shift 3

# The lab's names and the prepared ones: a hosts file knows no wildcards.
S=countersign.localhost
{
    printf '127.0.0.1 localhost\n::1 localhost\n'
    for name in login management graph; do echo "127.0.0.1 $name.$S"; done
    for vault in conformancekv conformanceclosed labvault; do echo "127.0.0.1 $vault.vault.$S"; done
    for account in conformancesa conformanceclosedsa labaccount; do echo "127.0.0.1 $account.blob.core.$S"; done
} >"$work/hosts"
ip link set lo up
# As on a cloud machine; `up` serves IMDS where the address is.
ip addr add 169.254.169.254/32 dev lo
mount --bind "$work/hosts" /etc/hosts
# Challenge files lie where clients look, and outside nothing changes.
mount -t tmpfs -o mode=755 tmpfs /var/opt

"$countersign" up --data "$data" --ready-file "$work/ready.json" >"$work/up.log" 2>&1 &
site=$!
trap 'kill "$site" 2>/dev/null || true; wait "$site" || true; rm -rf "$work"' EXIT
while [ ! -e "$work/ready.json" ]; do
    kill -0 "$site" 2>/dev/null || { cat "$work/up.log"; exit 1; }
    sleep 0.05
done
eval "$("$countersign" env --data "$data")"
export COUNTERSIGN_READY_FILE="$work/ready.json"
for suite in "$@"; do
    echo "== $suite"
    sh "$here/../$suite/run.sh"
done

echo "== trust: this host's own store and names, without a variable"
# The store of certificates is ours here, as the hosts file is.
cp -a /etc/ssl/certs "$work/certs"
mount --bind "$work/certs" /etc/ssl/certs
mkdir "$work/added"
mount --bind "$work/added" /usr/local/share/ca-certificates
printf '127.0.0.1 localhost\n::1 localhost\n' >"$work/hosts"
knock() { env -i PATH="$PATH" curl -s -o /dev/null -w '%{http_code}' "https://conformancekv.vault.$S:8443/secrets?api-version=7.4"; }
if [ "$(knock)" != 000 ]; then echo "FAILED: it was trusted before" >&2; exit 1; fi
"$countersign" trust install --data "$data"
"$countersign" trust install --data "$data"
[ "$(knock)" = 401 ] || { echo "FAILED: it is not trusted" >&2; cat "$work/hosts"; exit 1; }
"$countersign" trust remove --data "$data"
[ "$(knock)" = 000 ] || { echo "FAILED: it is trusted still" >&2; exit 1; }
[ "$(cat "$work/hosts")" = "$(printf '127.0.0.1 localhost\n::1 localhost\n')" ] || { cat "$work/hosts"; exit 1; }
