#!/bin/sh
# `countersign run` where the kernel refuses namespaces: the command runs on this machine with a proxy and variables.
#     run.sh PROGRAM DATA
# The refusal is real: a user namespace that allows none below it, without any capability left.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
program=$1 data=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $1" >&2; exit 1; }
expect() { [ "$2" = "$3" ] || fail "$1: found '$2' instead of '$3'"; echo "ok      $1"; }
refused() {
    unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces
        exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$@"' sh "$@"
}
run() { refused "$program" run --data "$data" -- "$@"; }

code=0; run sh -c 'echo out; exit 7' >"$work/out" 2>"$work/err" || code=$?
expect "the exit code is the command's" "$code" 7
expect "standard output is the command's alone" "$(cat "$work/out")" out
grep -q '^countersign: note: no private machine' "$work/err" || fail "nothing is said of the refusal"
grep -q '^hint: .*user.max_user_namespaces' "$work/err" || fail "the setting is not named"
expect "the site's names are reached" \
    "$(run sh -c 'curl -s "$AZURE_AUTHORITY_HOST/common/discovery/instance?api-version=1.1&authorization_endpoint=$AZURE_AUTHORITY_HOST/common/oauth2/v2.0/authorize" | jq -r ".metadata | length"' 2>/dev/null)" 1
expect "and no others" "$(run sh -c 'curl -s -o /dev/null -w "%{http_connect}" https://example.com || true' 2>/dev/null)" 403
run sh "$here/../python/run.sh" himds client_secret asynchronous vault_secrets blobs
