#!/bin/sh
# csagent with a directory that stays Entra: an application proves itself with a certificate or a federated token, and
# programs get its tokens as a managed identity. The site stands in for the public cloud under its own names.
# Run by `countersign run --cloud azure`; $CSAGENT names the agent.
set -eu
work=$(mktemp -d)
agent=''
trap '[ -z "$agent" ] || kill "$agent" 2>/dev/null || true; rm -rf "$work"' EXIT
ready() { jq -r "$1" "$COUNTERSIGN_READY_FILE"; }
fail() { echo "FAILED: $1" >&2; exit 1; }
expect() { [ "$2" = "$3" ] || fail "$1: found '$2' instead of '$3'"; echo "ok      $1"; }

authority=https://login.microsoftonline.com tenant=$(ready .tenant_id) ca=$(ready .ca_file) sub=$(ready .subscription_id)
operator_token() {
    curl -s "$authority/$tenant/oauth2/v2.0/token" -d grant_type=client_credentials -d "client_id=$(ready .operator.client_id)" \
        --data-urlencode "client_secret=$(cat "$(ready .operator.client_secret_file)")" -d "scope=$1/.default" | jq -r .access_token
}
graph_token=$(operator_token https://graph.microsoft.com) arm_token=$(operator_token https://management.azure.com)
graph() { curl -s -X "$1" -H "Authorization: Bearer $graph_token" -H 'Content-Type: application/json' -d "${3:-}" "https://graph.microsoft.com/v1.0/$2"; }

openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=plant -keyout "$work/key" -out "$work/cert" 2>"$work/said" || fail "openssl: $(cat "$work/said")"
cat "$work/cert" "$work/key" >"$work/both.pem"
application=$(graph POST applications "{\"displayName\": \"plant-1\", \"keyCredentials\": [{\"type\": \"AsymmetricX509Cert\", \"usage\": \"Verify\", \"key\": \"$(openssl x509 -in "$work/cert" -outform DER | base64 -w0)\"}]}")
app=$(echo "$application" | jq -r .appId) app_object=$(echo "$application" | jq -r .id)
principal=$(graph POST servicePrincipals "{\"appId\": \"$app\"}" | jq -r .id)
role=acdd72a7-3385-48ef-bd42-f606fba81ae7
curl -s -o /dev/null -X PUT -H "Authorization: Bearer $arm_token" -H 'Content-Type: application/json' \
    -d "{\"properties\": {\"roleDefinitionId\": \"/subscriptions/$sub/providers/Microsoft.Authorization/roleDefinitions/$role\", \"principalId\": \"$principal\"}}" \
    "https://management.azure.com/subscriptions/$sub/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-000000000001?api-version=2022-04-01"

code=0; "$CSAGENT" connect --data "$work/a" --site "$authority" --ca-file "$ca" -t "$tenant" -i "$app" -p a-secret 2>"$work/said" || code=$?
expect "a secret is not taken" "$code" 2
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=stranger -keyout "$work/k2" -out "$work/c2" 2>"$work/said" || fail "openssl: $(cat "$work/said")"
cat "$work/c2" "$work/k2" >"$work/stranger.pem"
code=0; "$CSAGENT" connect --data "$work/a" --site "$authority" --ca-file "$ca" -t "$tenant" -i "$app" --service-principal-cert "$work/stranger.pem" 2>"$work/said" || code=$?
expect "another's certificate is refused, and nothing is kept" "$code $(ls "$work/a"/*.json "$work/a"/*.pem 2>/dev/null || true)" "5 "
"$CSAGENT" connect --data "$work/a" --site "$authority" --ca-file "$ca" -t "$tenant" -n plant-1 -i "$app" --service-principal-cert "$work/both.pem" 2>/dev/null
rm "$work/both.pem" "$work/key"
expect "connects as the application" "$("$CSAGENT" show --data "$work/a" -j status | jq -r .status)" Connected
expect "keeps the certificate to itself" "$(stat -c %a "$work/a/application.pem")" 600

serve() {
    rm -f "$work/ready.json"
    "$CSAGENT" run --data "$1" --himds-port 0 --ready-file "$work/ready.json" 2>"$work/log" &
    agent=$!
    tries=0
    until [ -f "$work/ready.json" ]; do tries=$((tries + 1)); [ "$tries" -lt 100 ] || fail "the agent is not ready"; sleep 0.1; done
    himds=$(jq -r .himds "$work/ready.json")
}
ended() { kill "$agent"; wait "$agent" || fail "the agent did not end cleanly"; agent=''; }
token() {
    url="$himds/metadata/identity/oauth2/token?api-version=2020-06-01&resource=$1"
    file=$(curl -s -D - -o /dev/null -H Metadata:true "$url" | grep Www-Authenticate | cut -d= -f2 | tr -d '[:cntrl:]')
    curl -s -H Metadata:true -H "Authorization: Basic $(cat "$file")" "$url"
}
claim() { cut -d. -f2 | tr '_-' '/+' | base64 -d 2>/dev/null | jq -r ".$1" || true; }
serve "$work/a"
arm=$(token https://management.azure.com | jq -r .access_token)
expect "programs get the application's token as a managed identity" "$(echo "$arm" | claim appid) $(echo "$arm" | claim oid)" "$app $principal"
expect "which opens what the application may" "$(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $arm" \
    "https://management.azure.com/subscriptions/$sub/resourceGroups?api-version=2024-11-01")" 200
expect "the vault's audience too, byte for byte" "$(token https://vault.azure.net | jq -r .access_token | claim aud)" https://vault.azure.net
expect "an unknown resource is refused in the directory's words" "$(token https://nothing.example | jq -r .error)" invalid_resource
expect "the instance document names the machine" "$(curl -s -H Metadata:true "$himds/metadata/instance/compute/name?api-version=2020-06-01&format=text")" plant-1
ended
"$CSAGENT" disconnect --data "$work/a" 2>/dev/null
expect "disconnected, the certificate is gone" "$(ls "$work/a" | grep -c pem || true)" 0

# A federated credential: the token of another identity, in a file that others keep fresh.
fresh() {
    url="http://localhost:40342/metadata/identity/oauth2/token?api-version=2020-06-01&resource=api://AzureADTokenExchange"
    file=$(curl -s -D - -o /dev/null -H Metadata:true "$url" | grep -i www-authenticate | cut -d= -f2 | tr -d '[:cntrl:]')
    curl -s -H Metadata:true -H "Authorization: Basic $(cat "$file")" "$url" | jq -r .access_token >"$work/federated"
}
fresh
graph POST "applications/$app_object/federatedIdentityCredentials" "{\"name\": \"plant\", \"issuer\": \"$(claim iss <"$work/federated")\", \"subject\": \"$(claim sub <"$work/federated")\", \"audiences\": [\"api://AzureADTokenExchange\"]}" >/dev/null
"$CSAGENT" connect --data "$work/b" --site "$authority" --ca-file "$ca" -t "$tenant" -i "$app" --federated-token-file "$work/federated" 2>/dev/null
serve "$work/b"
expect "a federated credential gives the same tokens" "$(token https://vault.azure.net | jq -r .access_token | claim appid)" "$app"
echo spoiled >"$work/federated"
expect "a cached token outlives a spoiled file" "$(token https://vault.azure.net | jq -r .access_token | claim appid)" "$app"
expect "a new one does not" "$(token https://storage.azure.com | jq -r '.error // "given"' | grep -c given || true)" 0
ended
echo "entra: every step as expected"
