#!/bin/sh
# csagent on a machine that reaches its site through a proxy and no other way: a network of its own, whose only neighbours
# are proxies (proxy.py). Run by `countersign run`; $CSAGENT names the program.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
processes=''
trap 'for process in $processes; do kill "$process" 2>/dev/null || true; done; rm -rf "$work"' EXIT
fail() { echo "FAILED: $1" >&2; exit 1; }
expect() { [ "$2" = "$3" ] || fail "$1: found '$2' instead of '$3'"; echo "ok      $1"; }
ready() { jq -r "$1" "$COUNTERSIGN_READY_FILE"; }
until_there() { tries=0; until [ -e "$1" ]; do tries=$((tries + 1)); [ "$tries" -lt 150 ] || fail "$1 is not there"; sleep 0.1; done; }

data=$work/agent list=$work/list manager=$(ready .resource_manager) ca=$(ready .ca_file)
host=${manager#https://} host=${host%%/*}
login=$(ready .authority) login=${login#https://} login=${login%%/*}
mkdir "$data"
python3 "$here/proxy.py" serve "$work/lent" "$list" &
processes="$processes $!"
unshare -Urnm sh -c 'ip link set lo up && echo $$ >"$1.new" && mv "$1.new" "$1" && exec tail -f /dev/null' sh "$work/inside" &
processes="$processes $!"
until_there "$work/inside"
until_there "$work/lent"
# alone COMMAND…: in that network, with no proxy named but those given as variables.
alone() {
    nsenter -t "$(cat "$work/inside")" -U -n -m --preserve-credentials \
        env -u NO_PROXY -u no_proxy -u HTTPS_PROXY -u https_proxy -u HTTP_PROXY -u http_proxy "$@"
}
port=3128
for kind in open password refuse broken mail; do
    alone python3 "$here/proxy.py" lend "$work/lent" "$port" "$kind"
    port=$((port + 1))
done
at() { echo "http://${2-}127.0.0.1:$1"; }
# asked STATUS HOST: how often a tunnel was asked for and answered so.
asked() { grep -c "^[0-9]* $1 $2:443\$" "$list" || true; }
# check VARIABLE=VALUE…: exit code, how it was reached, and what is said of the site.
check() {
    code=0
    alone env "$@" "$CSAGENT" check --data "$data" --site "$manager" --ca-file "$ca" -j >"$work/rows" 2>"$work/said" || code=$?
    echo "$code $(jq -r '.[0] | "\(.reachable) \(.["proxy status"]) \(.detail)"' "$work/rows")"
}
says() {
    case "$2" in *"$3"*) echo "ok      $1" ;; *) fail "$1: '$3' is not in '$2'" ;; esac
}

found=$(check A=B)
says "without a proxy nothing is reached" "$found" "4 false not set "
expect "and nobody asked a proxy" "$(wc -l <"$list")" 0

found=$(check HTTPS_PROXY="$(at 3128)")
says "the environment's proxy leads to the site" "$found" "true set answers"
[ "$(asked 200 "$host")" -ge 2 ] || fail "the proxy was not asked for $host: $(cat "$list")"
[ "$(asked 200 "$login")" -ge 2 ] || fail "the proxy was not asked for $login: $(cat "$list")"
before=$(wc -l <"$list")
says "NO_PROXY keeps it out" "$(check HTTPS_PROXY="$(at 3128)" NO_PROXY="${host#*.}")" "see NO_PROXY"
expect "and the proxy is not asked" "$(wc -l <"$list")" "$before"

says "a proxy that wants a password is told of" "$(check HTTPS_PROXY="$(at 3129)")" "asks for a name and a password (407)"
says "a wrong password too" "$(check HTTPS_PROXY="$(at 3129 machine:WRONG-WORD@)")" "takes neither the name nor the password it was given (407)"
expect "the password is not printed" "$(cat "$work/rows" "$work/said" | grep -c WRONG-WORD || true)" 0
says "the right one opens" "$(check HTTPS_PROXY="$(at 3129 machine:open-sesame@)")" "true set answers"
says "a proxy that refuses is told of" "$(check HTTPS_PROXY="$(at 3130)")" "refuses to connect to $host:443 (403)"
says "one that reaches nobody" "$(check HTTPS_PROXY="$(at 3131)")" "does not get through to $host:443 (502)"
says "something else that answers" "$(check HTTPS_PROXY="$(at 3132)")" "no HTTP proxy"
says "nobody who answers" "$(check HTTPS_PROXY="$(at 3127)")" "the proxy 127.0.0.1:3127 is not reached"

csagent() { verb=$1; shift; alone "$CSAGENT" "$verb" --data "$data" "$@"; }
set_to() { alone "$CSAGENT" config set "$@" --data "$data" >/dev/null; }
set_to proxy.url "$(at 3130)"
connect() {
    csagent connect --site "$manager" --ca-file "$ca" -g countersign -n behind -i "$(ready .operator.client_id)" \
        --service-principal-secret-file "$(ready .operator.client_secret_file)"
}
code=0; connect 2>"$work/said" || code=$?
expect "connect fails where the proxy refuses" "$code" 4
at 3129 machine:open-sesame@ | set_to proxy.url -
says "the configuration comes before the environment" "$(check HTTPS_PROXY="$(at 3130)")" "true set answers"
connect
expect "show names the proxy without its password" "$(csagent show -j httpsProxy | jq -r .httpsProxy)" "$(at 3129)"
# Whatever is printed, at the highest level of logs, and by everybody who may read it, leaves the password out.
export COUNTERSIGN_LOG=trace
for verb in "config list" "config list -j" "config get proxy.url" "show" "show -j" "check" "check -j" "logs -o $work/logs.zip"; do
    # shellcheck disable=SC2086
    alone "$CSAGENT" $verb --data "$data" >"$work/printed" 2>&1 || true
    expect "$verb: the password is not printed" "$(cat "$work/printed" "$work/logs.zip" 2>/dev/null | grep -a -c open-sesame || true)" 0
done
says "config get shows that there is one" "$(csagent config get proxy.url 2>/dev/null)" '[redacted]@127.0.0.1:3129'
at 3129 machine:open-sesame@ | alone "$CSAGENT" config set proxy.url - --data "$data" >"$work/printed" 2>&1
echo http://machine:open-sesame@:x | alone "$CSAGENT" config set proxy.url - --data "$data" >>"$work/printed" 2>&1 || true
expect "config set: the password is not printed" "$(grep -c open-sesame "$work/printed" || true)" 0
csagent run --himds-port 0 --ready-file "$work/ready.json" 2>"$work/log" &
processes="$processes $!"
until_there "$work/ready.json"
unset COUNTERSIGN_LOG
# The number above is of the shell around it.
processes="$processes $(jq -r .process_id "$work/ready.json")"
himds=$(jq -r .himds "$work/ready.json")
before=$(wc -l <"$list")
token() {
    file=$(alone curl -s -D - -o /dev/null -H Metadata:true "$himds/metadata/identity/oauth2/token?api-version=2020-06-01&resource=$1" |
        grep Www-Authenticate | cut -d= -f2 | tr -d '[:cntrl:]')
    alone curl -s -H Metadata:true -H "Authorization: Basic $(cat "$file")" \
        "$himds/metadata/identity/oauth2/token?api-version=2020-06-01&resource=$1" | jq -r '"\(.token_type) \(.access_token)"'
}
first=$(token https://vault.azure.net)
says "a program gets its token, through the proxy" "$first" "Bearer ey"
expect "the one after it has the same" "$(token https://vault.azure.net)" "$first"
expect "by tunnels to the site alone" "$(tail -n +$((before + 1)) "$list" | grep -v "^3129 200 \($host\|$login\):443\$" | grep -c . || true)" 0

[ -s "$work/log" ] || fail "nothing was logged"
# The proxy's password as it goes over the wire is another way to write it.
expect "the agent's log has no password" "$(grep -c -e open-sesame -e "$(printf machine:open-sesame | base64)" "$work/log" || true)" 0
set_to proxy.bypass "$host"
says "proxy.bypass keeps it out" "$(check A=B)" "see proxy.bypass"
alone "$CSAGENT" config clear proxy.bypass --data "$data" >/dev/null
set_to connection.type direct
says "and so does a direct connection" "$(check HTTPS_PROXY="$(at 3128)")" "false not set "
echo "proxy: every step as expected"
