#!/bin/sh
# What a program sees inside `countersign run`, whatever it is written in: names by wildcard, a trusted CA, metadata where
# clients look; and that it is run as if started by hand. GO_CACHE names a folder that keeps what Go compiles.
#
#     run.sh COUNTERSIGN DATA
set -eu
here=$(cd "$(dirname "$0")" && pwd)
program=$1 data=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $1" >&2; exit 1; }
expect() { [ "$2" = "$3" ] || fail "$1: found '$2' instead of '$3'"; echo "ok      $1"; }
run() { "$program" run --data "$data" -- "$@"; }
has() { command -v "$1" >/dev/null || { echo "skipped $1 is not on this machine"; return 1; }; }

# The same three questions to every language: a fixed name, a vault nobody has made, and IMDS. Answers: 200, 401, 400.
LOGIN='https://login.countersign.localhost/common/v2.0/.well-known/openid-configuration'
VAULT='https://never-made-before.vault.countersign.localhost/secrets/x?api-version=7.4'
IMDS='http://169.254.169.254/metadata/instance?api-version=2021-02-01'
all="200 $(run curl -s -o /dev/null -w '%{http_code}' "$VAULT") 400"

expect "getent finds a fixed name and one nobody has made" \
    "$(run sh -c 'getent ahosts login.countersign.localhost | head -n 1 | cut -d" " -f1; getent hosts a.b.vault.countersign.localhost >/dev/null && echo found' | tr '\n' ' ')" "127.0.0.1 found "
expect "and no name of the world" "$(run getent hosts example.com || echo none)" none
statuses() { for url in "$LOGIN" "$VAULT" "$IMDS"; do run "$@" "$url"; done | tr '\n' ' ' | sed 's/ $//'; }
expect "curl (OpenSSL)" "$(statuses curl -s -o /dev/null -w '%{http_code}\n')" "$all"
if wget --version 2>/dev/null | grep -q '+ssl/gnutls'; then
    wgets() { for url in "$LOGIN" "$VAULT" "$IMDS"; do run wget -q -S -O /dev/null "$url" 2>&1 | sed -n 's,^ *HTTP/1.1 \([0-9]*\).*,\1,p'; done | tr '\n' ' ' | sed 's/ $//'; }
    expect "wget (GnuTLS)" "$(wgets)" "$all"
fi
expect "openssl verifies the name" "$(run sh -c 'openssl s_client -connect login.countersign.localhost:443 -servername login.countersign.localhost \
    -verify_hostname login.countersign.localhost -verify_return_error </dev/null 2>/dev/null | grep -m 1 -c "Verify return code: 0"')" 1
expect "Python" "$(run python3 "$here/ask.py" "$LOGIN" "$VAULT" "$IMDS")" "$all"
expect "Python, asynchronously" "$(run python3 "$here/ask.py" --aio "$LOGIN" "$VAULT" "$IMDS")" "$all"
expect "Node.js" "$(run node "$here/ask.cjs" "$LOGIN" "$VAULT" "$IMDS")" "$all"
if has javac; then
    javac -d "$work" "$here/Ask.java"
    expect "Java" "$(run java -cp "$work" Ask "$LOGIN" "$VAULT" "$IMDS" 2>/dev/null)" "$all"
fi
if has go; then
    export GOCACHE="${GO_CACHE:-$work/go}" GOFLAGS=-mod=mod GOTOOLCHAIN=local GO111MODULE=off CGO_ENABLED=0
    go build -o "$work/ask" "$here/ask.go"
    expect "Go, with its own resolver and its own roots" "$(run "$work/ask" "$LOGIN" "$VAULT" "$IMDS")" "$all"
fi

expect "the command's own exit code" "$(code=0; run sh -c 'exit 7' || code=$?; echo $code)" 7
expect "a command that is not there" "$(code=0; run no-such-command 2>/dev/null || code=$?; echo $code)" 127
expect "one that may not be run" "$(code=0; run /etc/hosts 2>/dev/null || code=$?; echo $code)" 126
expect "a signal that ended it" "$(code=0; run sh -c 'kill -TERM $$' || code=$?; echo $code)" 143
expect "its own streams" "$(echo in | run sh -c 'cat; echo err >&2' 2>"$work/err") $(cat "$work/err")" "in err"
expect "its user and directory" "$(cd /tmp && run sh -c 'echo $(id -u) $(pwd)')" "$(id -u) /tmp"
# A signal to us is its signal; it may take its time over it. The command says that it is ready.
mkfifo "$work/ready"
"$program" run --data "$data" -- sh -c "trap 'echo heard; exit 5' USR1 TERM; echo >'$work/ready'; while :; do sleep 0.05; done" >"$work/out" &
started=$!
read -r _ <"$work/ready"
kill -TERM $started
code=0; wait $started || code=$?
expect "a signal to us reaches it" "$(cat "$work/out") $code" "heard 5"
expect "a terminal is its terminal" "$(script -qec "$program run --data '$data' -- sh -c 'test -t 0 && test -t 1 && tty >/dev/null && stty size >/dev/null && echo terminal'" /dev/null </dev/null | tr -d '\r')" terminal
expect "nested, on the same site" "$(run "$program" run --data "$data" -- sh -c "curl -s -o /dev/null -w '%{http_code}' '$LOGIN'")" 200
expect "nested, on a site of its own" "$(run "$program" run --data "$work/inner" -- sh -c "curl -s -o /dev/null -w '%{http_code}' '$LOGIN'")" 200
expect "outside, nothing is left" "$(getent hosts never-made-before.vault.countersign.localhost >/dev/null && echo found; pgrep -f "run --data $data" >/dev/null && echo running; echo clean)" clean
echo "inside: every step as expected"
