#!/bin/sh
# csagent from outside: connects with the operator's secret, serves tokens and metadata, shows itself, disconnects.
# Run by `countersign run`; $CSAGENT names the program.
set -eu
work=$(mktemp -d)
agent=''
trap '[ -z "$agent" ] || kill "$agent" 2>/dev/null || true; rm -rf "$work"' EXIT
ready() { jq -r "$1" "$COUNTERSIGN_READY_FILE"; }
fail() { echo "FAILED: $1" >&2; exit 1; }
expect() { [ "$2" = "$3" ] || fail "$1: found '$2' instead of '$3'"; echo "ok      $1"; }

data=$work/agent
site=$(ready .resource_manager) ca=$(ready .ca_file) sub=$(ready .subscription_id)
id=$(ready .operator.client_id) secret=$(ready .operator.client_secret_file)

code=0; "$CSAGENT" show --data "$data" -j >"$work/show" || code=$?
expect "shows that it is not connected" "$(jq -r .status "$work/show")" Disconnected
code=0; "$CSAGENT" run --data "$data" --himds-port 0 2>/dev/null || code=$?
expect "does not run unconnected" "$code" 3
code=0; "$CSAGENT" connect --data "$data" --site "$site" --ca-file "$ca" -g countersign -n m1 -i "$id" -p wrong 2>/dev/null || code=$?
expect "a wrong secret is refused" "$code" 5
code=0; "$CSAGENT" connect --data "$data" --site http://management.countersign.localhost -g countersign -i x -p y 2>/dev/null || code=$?
expect "c08: a plain site is refused" "$code" 2

"$CSAGENT" connect --data "$data" --site "$site" --ca-file "$ca" -s "$sub" -g countersign -n m1 --tags "scenario=agent" \
    -i "$id" --service-principal-secret-file "$secret"
expect "shows that it is connected" "$("$CSAGENT" show --data "$data" -j status | jq -r .status)" Connected
code=0; "$CSAGENT" connect --data "$data" --site "$site" --ca-file "$ca" -g countersign -i "$id" -p x 2>/dev/null || code=$?
expect "connects once" "$code" 3
expect "keeps its key to itself" "$(stat -c %a "$data/machine.key")" 600

"$CSAGENT" run --data "$data" --himds-port 0 --ready-file "$work/ready.json" &
agent=$!
tries=0
until [ -f "$work/ready.json" ]; do tries=$((tries + 1)); [ "$tries" -lt 100 ] || fail "the agent is not ready"; sleep 0.1; done
himds=$(jq -r .himds "$work/ready.json")
token() {
    file=$(curl -s -D - -o /dev/null -H Metadata:true "$himds/metadata/identity/oauth2/token?api-version=2020-06-01&resource=$1" |
        grep Www-Authenticate | cut -d= -f2 | tr -d '[:cntrl:]')
    curl -s -H Metadata:true -H "Authorization: Basic $(cat "$file")" "$himds/metadata/identity/oauth2/token?api-version=2020-06-01&resource=$1"
}
expect "knows its name" "$(curl -s -H Metadata:true "$himds/metadata/instance/compute/name?api-version=2020-06-01&format=text")" m1
expect "knows its tags" "$(curl -s -H Metadata:true "$himds/metadata/instance?api-version=2020-06-01" | jq -r .compute.tags)" scenario:agent
arm=$(token https://management.azure.com | jq -r .access_token)
oid=$(echo "$arm" | cut -d. -f2 | tr '_-' '/+' | base64 -d 2>/dev/null | jq -r .oid || true)
machine="${site}subscriptions/$sub/resourceGroups/countersign/providers/Microsoft.HybridCompute/machines/m1?api-version=2024-07-31-preview"
expect "a machine reads its own resource" "$(curl -s -H "Authorization: Bearer $arm" "$machine" | jq -r .identity.principalId)" "$oid"
other="${site}subscriptions/$sub/resourceGroups?api-version=2024-11-01"
expect "and nothing else without a role" "$(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $arm" "$other")" 403

"$CSAGENT" disconnect --data "$data" -i "$id" --service-principal-secret-file "$secret"
expect "is gone at the site" "$(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $arm" "$machine")" 401
expect "c06: a machine that was taken off gets no new token" "$(token https://vault.azure.net | jq -r .error)" unauthorized_client
kill "$agent"; wait "$agent" || fail "the agent did not end cleanly"
agent=''
echo "agent: every step as expected"
