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

# said CODE WORDS COMMAND…: that exit code, one line of error with these words and at most a hint below it.
said() {
    wanted=$1 words=$2; shift 2; code=0
    "$@" >/dev/null 2>"$work/said" </dev/null || code=$?
    expect "$words" "$code $(grep -c "^csagent: error: .*$words" "$work/said") $(grep -v -c -e '^csagent: error: ' -e '^hint: ' "$work/said" || true)" "$wanted 1 0"
}
attempt() { words=$1 code=$2; shift 2; said "$code" "$words" "$CSAGENT" connect --data "$data" -g countersign -i "$id" -p x "$@"; }
attempt "reading --ca-file /nowhere: No such file" 2 --site "$site" --ca-file /nowhere
attempt "reading --ca-file /etc/hostname: it holds no certificate" 2 --site "$site" --ca-file /etc/hostname
attempt "this is no address of a site" 2 --site "${site}path"
attempt "https://graph.countersign.localhost is no resource manager" 1 --site https://graph.countersign.localhost --ca-file "$ca"

openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=other -days 1 -keyout /dev/null -out "$work/stranger.pem" 2>/dev/null
# Nothing is trusted then, not even what the system trusts.
(export SSL_CERT_FILE="$work/stranger.pem" SSL_CERT_DIR="$work/nowhere"
    attempt "UnknownIssuer" 4 --site "$site" --ca-file "$work/stranger.pem")
grep -q "^hint: .*--ca-file" "$work/said" || fail "what helps is not said"
said 1 "writing the answer to standard output: No space left" sh -c 'exec "$0" "$@" >/dev/full' "$CSAGENT" show --data "$data"
said 1 "listening on 192.0.2.7:80: Cannot assign" "$CSAGENT" forward --listen 192.0.2.7:80 --to /nowhere
grep -q "^hint: .*ip addr add 192.0.2.7/32 dev lo" "$work/said" || fail "what helps is not said"
said 1 "listening on 127.0.0.1:40342: Address already in use" "$CSAGENT" forward --listen 127.0.0.1:40342 --to /nowhere
grep -q "^hint: .*(countersign) has this port" "$work/said" || fail "who has the port is not said"
printf '{"key.rotation": "soon", "proxy.ulr": "x"}' >"$work/broken.json"; mkdir "$work/broken" && mv "$work/broken.json" "$work/broken/localconfig.json"
said 1 "localconfig.json: key.rotation: 'soon' is not a time" "$CSAGENT" connect --data "$work/broken" --site "$site" --ca-file "$ca" -g countersign -i "$id" -p x
code=0; "$CSAGENT" check --data "$work/broken" --site "$site" --ca-file "$ca" -j >"$work/check" 2>/dev/null || code=$?
expect "check tells settings that do not fit" "$code $(jq -r '.[] | select(.endpoint | endswith("localconfig.json")) | .result' "$work/check")" "1 bad"
"$CSAGENT" config set key.rotation 30d --data "$work/broken" >/dev/null
"$CSAGENT" check --data "$work/broken" --site "$site" --ca-file "$ca" -j >"$work/check" 2>/dev/null || true
expect "and one that is no setting" "$(jq -r '.[] | select(.endpoint | endswith("localconfig.json")) | .result + " " + .detail' "$work/check")" \
    "note holds what is no setting, and is not used: proxy.ulr"

connect() {
    "$CSAGENT" connect --data "$data" --site "$site" --ca-file "$ca" -s "$sub" -g countersign -n m1 --tags "scenario=agent" \
        -i "$id" --service-principal-secret-file "$secret" "$@"
}
connect
expect "shows that it is connected" "$("$CSAGENT" show --data "$data" -j status | jq -r .status)" Connected
code=0; connect 2>"$work/said" || code=$?
expect "connects once" "$code $(grep -c AZCM0067 "$work/said")" "3 1"
expect "keeps its key to itself" "$(stat -c %a "$data/machine.key")" 600
vm=$("$CSAGENT" show --data "$data" -j vmId)
# As if it had been killed between the site's answer and the registration: the same command finishes.
rm "$data/agentconfig.json"
connect
expect "an unfinished connect is finished" "$("$CSAGENT" show --data "$data" -j vmId)" "$vm"

serve() {
    rm -f "$work/ready.json"
    (ulimit -n 64; exec "$CSAGENT" run --data "$data" --himds-port "$1" --ready-file "$work/ready.json") &
    agent=$!
    tries=0
    until [ -f "$work/ready.json" ]; do tries=$((tries + 1)); [ "$tries" -lt 100 ] || fail "the agent is not ready"; sleep 0.1; done
    himds=$(jq -r .himds "$work/ready.json")
}
serve 0
token() {
    file=$(curl -s -D - -o /dev/null -H Metadata:true "$himds/metadata/identity/oauth2/token?api-version=2020-06-01&resource=$1" |
        grep Www-Authenticate | cut -d= -f2 | tr -d '[:cntrl:]')
    curl -s -H Metadata:true -H "Authorization: Basic $(cat "$file")" "$himds/metadata/identity/oauth2/token?api-version=2020-06-01&resource=$1"
}
tags() { curl -s -H Metadata:true "$himds/metadata/instance?api-version=2020-06-01" | jq -r .compute.tags; }
port=${himds##*:}
expect "knows its name" "$(curl -s -H Metadata:true "$himds/metadata/instance/compute/name?api-version=2020-06-01&format=text")" m1
expect "knows its tags" "$(tags)" scenario:agent

nonce=$(od -An -N8 -tx1 /dev/urandom | tr -d ' ')
attested() { curl -s -H Metadata:true "$1/metadata/attested/document?api-version=2020-09-01&nonce=$2"; }
# Another program's word for it: openssl, with the site's CA, and no other.
verified() { jq -r .signature | base64 -d | openssl smime -verify -inform DER -CAfile "$1" 2>/dev/null; }
attested "$himds" "$nonce" | verified "$ca" >"$work/attested" || fail "openssl refuses the attested document"
expect "the site signs who this machine is, over the nonce" "$(jq -r '"\(.nonce) \(.vmId) \(.subscriptionId)"' "$work/attested")" \
    "$nonce $(echo "$vm" | jq -r .vmId) $sub"
attested http://169.254.169.254 "$nonce" | verified "$ca" >"$work/attested" || fail "openssl refuses the document of the site's own host"
expect "the site's own host has one too, of another machine" "$(jq -r --argjson other "$vm" '"\(.nonce) \(.vmId == $other.vmId)"' "$work/attested")" "$nonce false"
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=other -days 1 -keyout "$work/other.key" -out "$work/other.pem" 2>/dev/null
! attested "$himds" "$nonce" | verified "$work/other.pem" >/dev/null || fail "another CA stands for the attested document"
expect "a nonce that is too long is refused" "$(curl -s -o /dev/null -w '%{http_code}' -H Metadata:true \
    "$himds/metadata/attested/document?api-version=2020-09-01&nonce=$(printf '%033d' 0)")" 400

arm=$(token https://management.azure.com | jq -r .access_token)
oid=$(echo "$arm" | cut -d. -f2 | tr '_-' '/+' | base64 -d 2>/dev/null | jq -r .oid || true)
machine="${site}subscriptions/$sub/resourceGroups/countersign/providers/Microsoft.HybridCompute/machines/m1?api-version=2024-07-31-preview"
expect "a machine reads its own resource" "$(curl -s -H "Authorization: Bearer $arm" "$machine" | jq -r .identity.principalId)" "$oid"
other="${site}subscriptions/$sub/resourceGroups?api-version=2024-11-01"
expect "and nothing else without a role" "$(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $arm" "$other")" 403

trace=0af7651916cd43dd8448eb211c80319c
traced() { curl -s -H "traceparent: 00-$trace-b7ad6b7169203331-01" "$@"; }
ask="$himds/metadata/identity/oauth2/token?api-version=2020-06-01&resource=https://management.core.windows.net/"
file=$(traced -D - -o /dev/null -H Metadata:true "$ask" | grep Www-Authenticate | cut -d= -f2 | tr -d '[:cntrl:]')
traced_token=$(traced -H Metadata:true -H "Authorization: Basic $(cat "$file")" "$ask" | jq -r .access_token)
traced -o /dev/null -H "Authorization: Bearer $traced_token" "$machine"
traced -o /dev/null -H "Authorization: Bearer $traced_token" "$other"
story() { "$(dirname "$CSAGENT")/countersign" audit --data "$(dirname "$secret")" --correlation-id "$trace" --output json; }
# Sign-ins and plain reads are written within a second.
tries=0
until [ "$(story | jq length)" = 3 ]; do tries=$((tries + 1)); [ "$tries" -lt 50 ] || fail "the story is not whole: $(story)"; sleep 0.1; done
expect "one id from the machine to the token to the resources" "$(story | jq -c 'map([.outcome, (.action | split("/") | .[-2:] | join("/")), .caller == "'"$oid"'"]) | sort')" \
    '[["denied","resourceGroups/read",true],["done","machines/read",true],["done","signIn",true]]'

operator=$(curl -s "$(ready .authority)$(ready .tenant_id)/oauth2/v2.0/token" -d grant_type=client_credentials -d "client_id=$id" \
    --data-urlencode "client_secret=$(cat "$secret")" -d "scope=${site%/}/.default" | jq -r .access_token)
curl -s -o /dev/null -X PATCH -H "Authorization: Bearer $operator" -H 'Content-Type: application/json' -d '{"tags":{"new":"tag"}}' "$machine"
tries=0
until [ "$(tags)" = new:tag ]; do tries=$((tries + 1)); [ "$tries" -lt 80 ] || fail "a new tag is not seen"; sleep 0.1; done
echo "ok      a new tag is seen"

worker_url="${site}subscriptions/$sub/resourceGroups/countersign/providers/Microsoft.ManagedIdentity/userAssignedIdentities/worker"
ask() { curl -s -X "$1" -H "Authorization: Bearer $operator" -H 'Content-Type: application/json' -d "$3" "$2"; }
worker=$(ask PUT "$worker_url?api-version=2023-01-31" '{"location":"local"}' | jq -r .properties.clientId)
identity="/subscriptions/$sub/resourceGroups/countersign/providers/Microsoft.ManagedIdentity/userAssignedIdentities/worker"
expect "an identity that is not attached is not found" "$(token "https://vault.azure.net&client_id=$worker" | jq -r .error)" identity_not_found
ask PATCH "$machine" "{\"identity\":{\"type\":\"SystemAssigned, UserAssigned\",\"userAssignedIdentities\":{\"$identity\":{}}}}" >/dev/null
acts_as() { token "https://vault.azure.net&client_id=$worker" | jq -r '.client_id // .error'; }
tries=0
until [ "$(acts_as)" = "$worker" ]; do tries=$((tries + 1)); [ "$tries" -lt 80 ] || fail "an attached identity is not seen"; sleep 0.1; done
echo "ok      an attached identity gets its token, with the echo clients insist on"
ask PATCH "$machine" '{"identity":{"type":"SystemAssigned"}}' >/dev/null
tries=0
until [ "$(acts_as)" = identity_not_found ]; do tries=$((tries + 1)); [ "$tries" -lt 80 ] || fail "a detached identity is still served"; sleep 0.1; done
echo "ok      a detached one gets none, not even the cached one"

code=0; "$CSAGENT" run --data "$data" --himds-port "$port" 2>"$work/said" || code=$?
expect "a27: a taken port is an error that names its holder" "$code $(grep -c "process $agent (csagent)" "$work/said")" "1 1"
code=0; "$CSAGENT" check --data "$data" --himds-port "$port" -j >"$work/check" 2>"$work/said" || code=$?
expect "check finds nothing wrong" "$code $(jq -r 'map(select(.result == "bad")) | length' "$work/check")" "0 0"
expect "check reaches the site" "$(jq -r '.[0] | "\(.reachable) \(.tls)"' "$work/check")" "true valid"
code=0; "$CSAGENT" check --data "$data" --himds-port "$port" --site https://nowhere.invalid >/dev/null 2>&1 || code=$?
expect "check tells a site that is not there" "$code" 4
python3 - "$port" <<'END' || fail "a24: silent callers keep others out"
import socket, sys
silent = []
for number in range(200):
    one = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5)
    one.send(b"GET /metadata/instance HTTP/1.1\r\nX-A: " if number % 2 else b"")
    silent.append(one)
one = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5)
one.settimeout(5)
one.send(b"GET /metadata/instance?api-version=2020-06-01 HTTP/1.1\r\nHost: localhost\r\nMetadata: true\r\nConnection: close\r\n\r\n")
assert one.recv(100).startswith(b"HTTP/1.1 200"), "not served"
END
echo "ok      a24: with 64 descriptors and 200 silent callers another one is served"

"$CSAGENT" logs --data "$data" -o "$work/logs.zip" 2>/dev/null
expect "h04: the archive holds neither key nor secret" \
    "$(grep -c -a -e "$(cat "$data/machine.key")" -e "$(cat "$secret")" "$work/logs.zip" || true)" 0
ln -s "$CSAGENT" "$work/azcmagent"
expect "answers to its other name" "$("$work/azcmagent" version | cut -d' ' -f1)" azcmagent
expect "keeps settings" "$("$work/azcmagent" config set --data "$data" proxy.bypass a,b)" "Config property proxy.bypass set to value [a b]"

expect "has no extensions" "$("$work/azcmagent" extension list --data "$data" -j)" '[]'
"$work/azcmagent" extension remove --all --data "$data" 2>/dev/null || fail "nothing to remove is no failure"
code=0; "$work/azcmagent" extension remove --name MDE --data "$data" 2>"$work/said" || code=$?
expect "where one can be is told" "$code $(grep -c 'delete --machine-name m1 -g countersign --name MDE' "$work/said")" "1 1"
code=0; "$work/azcmagent" upgrade -y 2>"$work/said" || code=$?
expect "who upgrades it is told" "$code $(grep -c '^hint: .apt install' "$work/said")" "1 1"
expect "and its licence" "$("$work/azcmagent" license -j | jq -r .license)" Apache-2.0

curl -s -o /dev/null -X DELETE -H "Authorization: Bearer $operator" "$machine"
expect "is gone at the site" "$(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $arm" "$machine")" 401
expect "c06: a machine that was taken off gets no new token" "$(token https://vault.azure.net | jq -r .error)" unauthorized_client
expect "c07: and nobody says who it is" "$(attested "$himds" "$nonce" | jq -r 'has("signature")')" false
code=0; "$CSAGENT" disconnect --data "$data" 2>/dev/null || code=$?
expect "nobody else disconnects" "$code" 5
"$CSAGENT" disconnect --data "$data" -i "$id" --service-principal-secret-file "$secret"
expect "a disconnected machine's agent says so" "$(curl -s -H Metadata:true \
    "$himds/metadata/identity/oauth2/token?api-version=2020-06-01&resource=https://vault.azure.net" | jq -r .error)" invalid_request

printf 'resource-group: countersign\nservice-principal-id: %s\nservice-principal-secret: "%s"\nresource-name: wrong\n' "$id" "$(cat "$secret")" >"$work/flags.yaml"
"$CSAGENT" connect --data "$data" --site "$site" --ca-file "$ca" --config "$work/flags.yaml" -n m2
expect "connected anew, the running agent serves the new machine" "$(curl -s -H Metadata:true \
    "$himds/metadata/instance/compute/name?api-version=2020-06-01&format=text")" m2
expect "and its tokens" "$(token https://vault.azure.net | jq -r .token_type)" Bearer
kill "$agent"; wait "$agent" || fail "the agent did not end cleanly"
agent=''
[ ! -e "$work/ready.json" ] || fail "the ready file is left"

# As the first version left it: one document with its heartbeat, no status, and nothing of what came later.
who() { token https://vault.azure.net | jq -r .access_token | cut -d. -f2 | tr '_-' '/+' | base64 -d 2>/dev/null | jq -r .oid || true; }
before=$("$CSAGENT" show --data "$data" -j resourceId vmId)
jq 'del(.cloud, .correlation_id) + {last_heartbeat: "2026-03-01T10:00:00Z"}' "$data/agentconfig.json" >"$work/old.json"
expect "an old registration has the members of the fixture" "$(jq -c 'keys' "$work/old.json")" \
    "$(jq -c 'keys' "$(dirname "$0")/../../bin/csagent/fixtures/first/agentconfig.json")"
mv "$work/old.json" "$data/agentconfig.json"; rm -f "$data/status.json" "$data/heartbeat.json"
serve 0
expect "an upgraded agent is the machine it was" "$("$CSAGENT" show --data "$data" -j resourceId vmId)" "$before"
expect "and signs in as it" "$(who)" "$(jq -r .principal_id "$data/agentconfig.json")"
kill "$agent"; wait "$agent" || fail "the agent did not end cleanly"
agent=''
"$CSAGENT" disconnect --data "$data" -i "$id" -p - <"$secret"
expect "forgets its key" "$(ls "$data"/machine.key 2>/dev/null || true)" ""

connect
echo nonsense >"$data/machine.key"
said 1 "machine.key: not a private key we can use" "$CSAGENT" run --data "$data" --himds-port 0
echo '{' >"$data/agentconfig.json"
said 1 "agentconfig.json: EOF while parsing" "$CSAGENT" show --data "$data"
grep -q "^hint: .*--force-local-only" "$work/said" || fail "what helps is not said"
"$CSAGENT" disconnect --data "$data" --force-local-only 2>/dev/null
curl -s -o /dev/null -X DELETE -H "Authorization: Bearer $operator" "$machine"

# Without anybody's credential on the machine: the key goes out, the client id comes in.
public=$("$CSAGENT" genkey --data "$data")
expect "a key is made once" "$("$CSAGENT" genkey --data "$data")" "$public"
code=0; "$CSAGENT" connect existing --data "$data" --site "$site" --ca-file "$ca" --client-id "$worker" 2>/dev/null || code=$?
expect "another identity is not had with it" "$code" 5
made=$(ask PUT "${machine%/m1?*}/m3?api-version=2024-07-31-preview" "$(jq -n --arg key "$public" --arg vm "$(jq -r .vmId "$work/attested")" \
    '{location: "local", identity: {type: "SystemAssigned"}, properties: {clientPublicKey: $key, vmId: $vm}}')")
code=0; "$CSAGENT" connect existing --data "$data" --site "$site" --ca-file "$ca" -n other --client-id "$(echo "$made" | jq -r .identity.clientId)" 2>/dev/null || code=$?
expect "a name that is not the machine's is told" "$code" 1
code=0; "$CSAGENT" connect existing --data "$data" --site "$site" --ca-file "$ca" -s "$(cat /proc/sys/kernel/random/uuid)" --client-id "$(echo "$made" | jq -r .identity.clientId)" 2>/dev/null || code=$?
expect "and a subscription that is not" "$code" 1
"$CSAGENT" connect existing --data "$data" --site "$site" --ca-file "$ca" --client-id "$(echo "$made" | jq -r .identity.clientId)"
expect "a machine made by its public key becomes this one" "$("$CSAGENT" show --data "$data" -j resourceName vmId | jq -r '"\(.resourceName) \(.vmId)"')" \
    "m3 $(echo "$made" | jq -r .properties.vmId)"
code=0; "$CSAGENT" genkey --data "$data" 2>/dev/null || code=$?
expect "a connected machine makes no other key" "$code" 3
serve 0
expect "and gets its tokens" "$(who)" "$(echo "$made" | jq -r .identity.principalId)"
expect "c07: but is not attested as the host whose vmId it was made with" "$(attested "$himds" "$nonce" | jq -r 'has("signature")')" false
expect "which is, as before" "$(attested http://169.254.169.254 "$nonce" | jq -r 'has("signature")')" true
kill "$agent"; wait "$agent" || fail "the agent did not end cleanly"
agent=''

mkdir "$work/bin"
printf '#!/bin/sh\n[ "$*" = "account get-access-token --resource %s --query accessToken --output tsv" ] || { echo "ERROR: asked $*" >&2; exit 1; }\ncat "%s"\n' \
    "$(jq -r .audience "$data/agentconfig.json")" "$work/az.token" >"$work/bin/az"
chmod +x "$work/bin/az"
: >"$work/az.token"
code=0; PATH=$work/bin:$PATH "$CSAGENT" disconnect --data "$data" --use-azcli 2>/dev/null || code=$?
expect "az without a sign-in is told" "$code" 5
echo "$operator" >"$work/az.token"
PATH=$work/bin:$PATH "$CSAGENT" disconnect --data "$data" --use-azcli
expect "who is signed in with az disconnects" "$("$CSAGENT" show --data "$data" -j status | jq -r .status)" Disconnected
PATH=$work/bin:$PATH "$CSAGENT" connect --data "$data" --site "$site" --ca-file "$ca" -g countersign -n m4 --use-azcli
expect "and connects" "$("$CSAGENT" show --data "$data" -j resourceName | jq -r .resourceName)" m4
"$CSAGENT" disconnect --data "$data" --use-azcli --force-local-only 2>/dev/null
code=0; "$CSAGENT" connect --data "$data" --site "$site" --ca-file "$ca" -g countersign -n m5 --use-device-code 2>"$work/said" || code=$?
expect "a device code is refused with a reason" "$code $(grep -c AZCM0023 "$work/said")" "2 1"
echo "agent: every step as expected"
