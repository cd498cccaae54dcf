#!/bin/sh
# Enrolment from outside: join tokens, the rotation of a machine's key, and a copied disk.
# Run by `countersign run`; $CSAGENT names the agent, `countersign` is found beside it.
set -eu
work=$(mktemp -d)
agents=''
trap 'for one in $agents; do kill "$one" 2>/dev/null || true; done; rm -rf "$work"' EXIT
ready() { jq -r "$1" "$COUNTERSIGN_READY_FILE"; }
fail() { echo "FAILED: $1" >&2; exit 1; }
expect() { [ "$2" = "$3" ] || fail "$1: found '$2' instead of '$3'"; echo "ok      $1"; }
until_so() { tries=0; until eval "$2"; do tries=$((tries + 1)); [ "$tries" -lt 100 ] || fail "$1"; sleep 0.1; done; echo "ok      $1"; }

countersign=$(dirname "$CSAGENT")/countersign
site=$(ready .resource_manager) ca=$(ready .ca_file) sub=$(ready .subscription_id)
group="${site}subscriptions/$sub/resourceGroups"
operator=$(curl -s "$(ready .authority)$(ready .tenant_id)/oauth2/v2.0/token" -d grant_type=client_credentials \
    -d "client_id=$(ready .operator.client_id)" --data-urlencode "client_secret=$(cat "$(ready .operator.client_secret_file)")" \
    -d "scope=${site%/}/.default" | jq -r .access_token)
arm() { curl -s -X "$1" -H "Authorization: Bearer $operator" -H 'Content-Type: application/json' -d "${3:-}" "$2"; }
arm PUT "$group/plant?api-version=2024-11-01" '{"location":"local"}' >/dev/null

join() { "$CSAGENT" connect --data "$work/$1" --site "$site" --ca-file "$ca" -n "$1" --join-token "$2" 2>"$work/said"; }
token() { "$countersign" machine join-token create --resource-group plant "$@"; }

token --tags place=hall-3 --expires 15m >"$work/token"
expect "a join token is one word" "$(wc -w <"$work/token") $(cut -c1-5 "$work/token")" "1 csj1_"
join m1 "$work/token"
expect "connects a machine without a credential" "$("$CSAGENT" show --data "$work/m1" -j | jq -r '"\(.status) \(.resourceGroup)"')" "Connected plant"
m1="$group/plant/providers/Microsoft.HybridCompute/machines/m1"
expect "the machine has the token's tags" "$(arm GET "$m1?api-version=2024-07-10" | jq -r .tags.place)" hall-3
code=0; join m2 "$work/token" || code=$?
expect "c01: a used join token connects no other machine" "$code $(grep -c 'was used' "$work/said")" "5 1"
expect "and leaves nothing" "$(ls "$work/m2"/*.json "$work/m2"/machine.key 2>/dev/null || true)" ""
token >"$work/raced"
for n in 1 2 3 4 5 6; do (join "raced$n" - <"$work/raced" && echo "$n" >>"$work/won") & done; wait
expect "c01: of six that race with one token one succeeds" "$(wc -l <"$work/won") $(arm GET "$group/plant/providers/Microsoft.HybridCompute/machines?api-version=2024-07-10" | jq '.value | length')" "1 2"
token >"$work/elsewhere"
code=0; "$CSAGENT" connect --data "$work/m3" --site "$site" --ca-file "$ca" -g countersign --join-token "$work/elsewhere" 2>"$work/said" || code=$?
expect "c02: a token of one group connects nothing to another" "$code $(grep -c 'alone' "$work/said")" "5 1"
open_one=$("$countersign" machine join-token list -g plant --output json | jq -r 'map(select(.properties.state == "Open"))[0].name')
"$countersign" machine join-token revoke "$open_one" -g plant
code=0; join m3 "$work/elsewhere" || code=$?
expect "a token that was taken back connects nothing" "$code" 5
expect "no token is listed" "$("$countersign" machine join-token list -g plant --output json | grep -c csj1_ || true)" 0

serve() {
    rm -f "$work/$1.ready"
    "$CSAGENT" run --data "$work/$1" --himds-port 0 --ready-file "$work/$1.ready" 2>"$work/$1.log" &
    agents="$agents $!" last=$!
    until_so "$1 is served" "[ -f '$work/$1.ready' ]"
}
asks() { asks_for "$1" https://vault.azure.net; }
asks_for() {
    himds=$(jq -r .himds "$work/$1.ready")
    url="$himds/metadata/identity/oauth2/token?api-version=2020-06-01&resource=$2"
    file=$(curl -s -D - -o /dev/null -H Metadata:true "$url" | grep Www-Authenticate | cut -d= -f2 | tr -d '[:cntrl:]')
    curl -s -H Metadata:true -H "Authorization: Basic $(cat "$file")" "$url"
}
generation() { "$CSAGENT" show --data "$work/$1" -j keyGeneration | jq -r .keyGeneration; }
answered() { [ "$(jq -r .answered "$work/$1/heartbeat.json" 2>/dev/null)" = true ]; }
counter() { jq -r .counter "$work/$1/heartbeat.json"; }

serve m1
until_so "its first heartbeat is answered" "answered m1"
code=0; "$CSAGENT" run --data "$work/m1" --himds-port 0 2>/dev/null || code=$?
expect "two agents do not serve one directory" "$code" 3
kill -9 "$last"; wait "$last" 2>/dev/null || true
key=$(cat "$work/m1/machine.key")
"$CSAGENT" config set --data "$work/m1" key.rotation 1s >/dev/null
sleep 1.1
serve m1
until_so "the key is replaced when it is time" "[ \"\$(generation m1)\" = 2 ]"
until_so "one key is left" "[ ! -e '$work/m1/machine.key.next' ] && [ ! -e '$work/m1/machine.key.previous' ]"
[ "$(cat "$work/m1/machine.key")" != "$key" ] || fail "it is another key"
expect "with which the machine gets tokens" "$(asks m1 | jq -r .token_type)" Bearer
"$CSAGENT" config set --data "$work/m1" key.rotation off >/dev/null
kill -9 "$last"; wait "$last" 2>/dev/null || true

cp -a "$work/m1" "$work/copy"
before=$(counter m1)
serve copy; copy=$last
until_so "a copied disk beats" "answered copy && [ \"\$(counter copy)\" -gt $before ]"
expect "and gets tokens while it is alone" "$(asks copy | jq -r .token_type)" Bearer
serve m1
until_so "c04: both are quarantined when the other one comes back" "[ \"\$(asks m1 | jq -r .error)\" = unauthorized_client ]"
expect "c04: which is said, and what helps" "$(asks m1 | grep -c 'quarantined.*machine release')" 1
"$CSAGENT" show --data "$work/m1" -j agentErrorDetails | grep -q quarantined || fail "show says it"
expect "the machine's resource says it" "$(arm GET "$m1?api-version=2024-07-10" | jq -r '.properties | "\(.status) \(.errorDetails[0].code)"')" "Error MachineQuarantined"
expect "and so does the activity log" "$(arm GET "${site}subscriptions/$sub/providers/Microsoft.Insights/eventtypes/management/values?api-version=2015-04-01" | jq '[.value[] | select(.operationName.value == "Microsoft.HybridCompute/machines/quarantine/action")] | length')" 1
kill "$copy"; wait "$copy" || true
"$CSAGENT" disconnect --data "$work/copy" --force-local-only 2>/dev/null
"$countersign" machine release m1 --resource-group plant 2>/dev/null
until_so "released, the one that is left gets tokens" "[ \"\$(asks m1 | jq -r .token_type)\" = Bearer ]"
kill "$last"; wait "$last" || fail "the agent did not end cleanly"

# Who may ask: curl may have the vault's tokens, and nobody anything else.
cat >"$work/m1/callers.json" <<END
{"default": "deny", "rules": [
  {"name": "curl and the vault", "effect": "allow", "executables": ["$(readlink -f "$(command -v curl)")"], "audiences": ["https://vault.azure.net"]}]}
END
serve m1
expect "the program that the policy names gets a token" "$(asks m1 | jq -r .token_type)" Bearer
expect "which is logged with who asked" "$(grep -c "callers: token for uid .*, pid .*$(readlink -f "$(command -v curl)").* source=\"himds\"" "$work/m1.log")" 1
expect "another audience is refused by name" "$(asks_for m1 https://management.azure.com | grep -c "Rule 'default' of this machine's policy refuses uid")" 1
expect "another program too" "$(python3 - "$(jq -r .himds "$work/m1.ready")" <<'END'
import json, sys, urllib.error, urllib.request
url = sys.argv[1] + "/metadata/identity/oauth2/token?api-version=2020-06-01&resource=https://vault.azure.net"
def ask(headers):
    try:
        return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(urllib.request.Request(url, headers={"Metadata": "true", **headers}))
    except urllib.error.HTTPError as error:
        return error
key = open(ask({}).headers["WWW-Authenticate"].split("=", 1)[1]).read()
print("python" in json.load(ask({"Authorization": "Basic " + key}))["error_description"])
END
)" True
echo '{"default": "allow", "rule": []}' >"$work/m1/callers.json"
expect "a policy that breaks gives nobody anything" "$(asks m1 | jq -r .error)" forbidden
kill "$last"; wait "$last" || fail "the agent did not end cleanly"
code=0; "$CSAGENT" run --data "$work/m1" --himds-port 0 2>"$work/said" || code=$?
expect "and no start" "$code $(grep -c 'policy of callers' "$work/said")" "2 1"
agents=''
echo "enrol: every step as expected"
