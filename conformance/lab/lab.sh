#!/bin/sh
# The managed-identity lab on a connected machine, steps 10 to 17, by curl, jq and sudo as people type them.
#
# Run by `countersign run` (the site's own names) and by `countersign run --cloud azure` (the public cloud's names,
# exactly as written in every tutorial). The operator's preparation is done first by prepare.py.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

step() { printf '\n== %s\n' "$*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
# expect WHAT FOUND WANTED
expect() { [ "$2" = "$3" ] || fail "$1: found '$2' instead of '$3'"; echo "$1: $2"; }

step "before the preparation the machine may nothing"
TOKEN_URL="http://localhost:40342/metadata/identity/oauth2/token"
READY_MANAGEMENT=$(jq -r .resource_manager "$COUNTERSIGN_READY_FILE")
SUB=$(jq -r .subscription_id "$COUNTERSIGN_READY_FILE")
token_for() {
    # Steps 12 to 14 for one audience; the value stays in $TOKEN.
    CHALLENGE_TOKEN_PATH=$(curl -s -D - -H Metadata:true "$TOKEN_URL?api-version=2019-11-01&resource=$1" | grep Www-Authenticate | cut -d "=" -f 2 | tr -d "[:cntrl:]")
    CHALLENGE_TOKEN=$(sudo cat $CHALLENGE_TOKEN_PATH)
    [ -n "$CHALLENGE_TOKEN" ] || fail "no challenge in $CHALLENGE_TOKEN_PATH"
    TOKEN=$(curl -s -H Metadata:true -H "Authorization: Basic $CHALLENGE_TOKEN" "$TOKEN_URL?api-version=2019-11-01&resource=$1" | jq -r .access_token)
    [ "$TOKEN" != null ] || fail "no token for $1"
}
token_for https%3A%2F%2Fmanagement.azure.com
STATUS=$(curl -s -o refusal.json -w '%{http_code}' -H "Authorization: Bearer $TOKEN" "${READY_MANAGEMENT%/}/subscriptions/$SUB/tagNames?api-version=2021-04-01")
expect "tagNames before step 6" "$STATUS $(jq -r .error.code refusal.json)" "403 AuthorizationFailed"

step "preparation"
python3 "$here/../prepare.py" --shell >prepared.sh
. ./prepared.sh
if [ "$RESOURCE_MANAGER" = https://management.azure.com ]; then
    expect "vault" "$VAULT" "https://$VAULT_NAME.vault.azure.net"
    expect "account" "$ACCOUNT" "https://$ACCOUNT_NAME.blob.core.windows.net"
fi

step "10: the instance's metadata"
curl -s -H Metadata:true "http://localhost:40342/metadata/instance?api-version=2020-06-01" | jq

step "11: parts of it"
INSTANCE=$(curl -s -H Metadata:true "http://localhost:40342/metadata/instance?api-version=2020-06-01")
expect "tags" "$(echo "$INSTANCE" | jq -r '.compute.tags' | tr ';' '\n' | grep scenario)" "scenario:conformance"
expect "tag" "$(echo "$INSTANCE" | jq -r '.compute.tagsList[] | select(.name=="scenario") | .value')" conformance
expect "subscription" "$(echo "$INSTANCE" | jq -r .compute.subscriptionId)" "$SUBSCRIPTION_ID"
expect "resource" "$(echo "$INSTANCE" | jq -r .compute.resourceId)" "$MACHINE_RESOURCE_ID"
expect "group" "$(echo "$INSTANCE" | jq -r .compute.resourceGroupName)" "$(echo "$MACHINE_RESOURCE_ID" | cut -d / -f 5)"

step "12: the challenge"
CHALLENGE_TOKEN_PATH=$(curl -s -D - -H Metadata:true "http://localhost:40342/metadata/identity/oauth2/token?api-version=2019-11-01&resource=https%3A%2F%2Fmanagement.azure.com" | grep Www-Authenticate | cut -d "=" -f 2 | tr -d "[:cntrl:]")
echo "$CHALLENGE_TOKEN_PATH"

step "13: proof that we may read it"
CHALLENGE_TOKEN=$(sudo cat $CHALLENGE_TOKEN_PATH)
if [ $? -ne 0 ]; then fail "Could not retrieve challenge token, double check that this command is run with root privileges."; fi

step "14: the token"
TOKEN=$(curl -s -H Metadata:true -H "Authorization: Basic $CHALLENGE_TOKEN" "http://localhost:40342/metadata/identity/oauth2/token?api-version=2019-11-01&resource=https%3A%2F%2Fmanagement.azure.com" | jq -r .access_token)
expect "a JWT's parts" "$(echo "$TOKEN" | tr '.' '\n' | wc -l | tr -d ' ')" 3
STATUS=$(curl -s -o /dev/null -w '%{http_code}' -H Metadata:true -H "Authorization: Basic $CHALLENGE_TOKEN" "$TOKEN_URL?api-version=2019-11-01&resource=https%3A%2F%2Fmanagement.azure.com")
expect "the same challenge again" "$STATUS" 403
[ ! -e "$CHALLENGE_TOKEN_PATH" ] || fail "the challenge file is still there"

step "15: resource management"
curl -s -f -H "Authorization: Bearer $TOKEN" "$RESOURCE_MANAGER/subscriptions/$SUBSCRIPTION_ID/tagNames?api-version=2021-04-01" >tags.json
expect "tag name" "$(jq -r '.value[] | select(.tagName=="scenario") | .tagName' tags.json)" scenario
curl -s -f -H "Authorization: Bearer $TOKEN" "$RESOURCE_MANAGER/subscriptions/$SUBSCRIPTION_ID/resourceGroups/$GROUP/resources?api-version=2020-06-01" >resources.json
expect "vault in the group" "$(jq -r --arg n "$VAULT_NAME" '.value[] | select(.name==$n) | .type' resources.json)" Microsoft.KeyVault/vaults
curl -s -f -H "Authorization: Bearer $TOKEN" "$RESOURCE_MANAGER/subscriptions/$SUBSCRIPTION_ID/providers/Microsoft.KeyVault/vaults?api-version=2019-09-01" >vaults.json
expect "vault in the subscription" "$(jq -r --arg n "$VAULT_NAME" '.value[] | select(.name==$n) | .name' vaults.json)" "$VAULT_NAME"

step "16: the secret"
token_for https%3A%2F%2Fvault.azure.net
expect "secret" "$(curl -s -H "Authorization: Bearer $TOKEN" "$VAULT/secrets/scenario/?api-version=7.2" | jq -r .value)" "the cake is in the kitchen"
expect "secret (7.1)" "$(curl -s -H "Authorization: Bearer $TOKEN" "$VAULT/secrets/scenario?api-version=7.1" | jq -r .value)" "the cake is in the kitchen"

step "17: the blob"
token_for https%3A%2F%2Fstorage.azure.com
echo "written on $(date)" >note.txt
NOW=$(TZ=GMT date "+%a, %d %h %Y %H:%M:%S %Z")
STATUS=$(curl -s -o made.txt -w '%{http_code}' -X PUT -H "Content-Length: 0" -H "x-ms-version: 2020-10-02" -H "x-ms-date: $NOW" -H "Authorization: Bearer $TOKEN" "$ACCOUNT/uploads?restype=container")
expect "container" "$STATUS" 201
STATUS=$(curl -s -o made.txt -w '%{http_code}' -H "x-ms-version: 2020-10-02" -H "x-ms-date: $NOW" -H "x-ms-blob-type: BlockBlob" -H "Authorization: Bearer $TOKEN" --upload-file note.txt "$ACCOUNT/uploads/note.txt")
expect "blob" "$STATUS" 201
curl -s -f -H "x-ms-version: 2020-10-02" -H "Authorization: Bearer $TOKEN" "$ACCOUNT/uploads/note.txt" >back.txt
cmp note.txt back.txt || fail "the blob came back different"

step "a stranger's token is worth nothing"
STATUS=$(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer ${TOKEN}x" "$VAULT/secrets/scenario?api-version=7.2")
expect "secret with a broken token" "$STATUS" 401
STATUS=$(curl -s -o /dev/null -w '%{http_code}' "$TOKEN_URL?api-version=2019-11-01&resource=https%3A%2F%2Fmanagement.azure.com")
expect "metadata without its header" "$STATUS" 400
printf '\nlab: every step as written\n'
