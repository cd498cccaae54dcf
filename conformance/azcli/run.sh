#!/bin/sh
# az CLI, unmodified: the lab's preparation (steps 1 to 9), every other command that manages a site (control.sh), the
# directory's verbs and the many forms of roles, locks, resources and tokens (directory.sh, access.sh), the forms that are left
# (forms.sh), a second site made of az's own lists (twin.sh), then the machine's own `az login --identity` (step 19).
#
# Under the site's own names az is told about the cloud once; under `countersign run --cloud azure` it is told nothing.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
PATH="${CONFORMANCE_CLIENTS:-$here/../../target/conformance}/azcli/bin:$PATH"
work=$(mktemp -d)
agent=''
trap '[ -z "$agent" ] || kill "$agent" 2>/dev/null || true; rm -rf "$work"' EXIT

# A home of its own: az must find neither the person's settings nor what an earlier run cached.
export AZURE_CONFIG_DIR="$work/config" AZURE_CORE_COLLECT_TELEMETRY=0 AZURE_CORE_NO_COLOR=1
export AZURE_CORE_INSTANCE_DISCOVERY=false
export CONFORMANCE_RECORD="$work/answers" PYTHONPATH="$here/../fields/observe"
METADATA_URL=${ARM_CLOUD_METADATA_URL-}
unset ARM_CLOUD_METADATA_URL

ready() { jq -er "$1" "$COUNTERSIGN_READY_FILE"; }
say() { printf '\n== %s\n' "$*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
# expect WHAT FOUND WANTED
expect() { [ "$2" = "$3" ] || fail "$1: found '$2' instead of '$3'"; }

TENANT=$(ready .tenant_id)
SUB=$(ready .subscription_id)
LOCATION=$(ready .location)
MANAGEMENT=$(ready .resource_manager)
APP=$(ready .operator.client_id)
SECRET_FILE=$(ready .operator.client_secret_file)
MACHINE=$(ready .machine.name)
MACHINE_ID=$(ready .machine.resource_id)
PUBLIC=$(ready '.resource_manager | startswith("https://management.azure.com") | tostring' || true)
RG=lab SA=labaccount KV=labvault

meet_the_cloud() {
    [ "$PUBLIC" = true ] && return
    az cloud register -n countersign --endpoint-resource-manager "${MANAGEMENT%/}"
    az cloud set -n countersign
}

say "operator signs in"
meet_the_cloud
az login --service-principal -u "$APP" -p "$(cat "$SECRET_FILE")" --tenant "$TENANT" >"$work/login.json"
expect "subscription" "$(az account show --query id -o tsv)" "$SUB"

say "1: resource group"
az group create -n $RG -l "$LOCATION" >/dev/null
expect "group exists" "$(az group exists -n $RG)" true

say "2: storage account"
az storage account create -n $SA -g $RG -l "$LOCATION" --sku Standard_LRS >/dev/null
SA_ID=$(az storage account show -n $SA -g $RG --query id -o tsv)

say "3: key vault"
az keyvault create -n $KV -g $RG -l "$LOCATION" --retention-days 7 --enable-rbac-authorization false >/dev/null
expect "retention" "$(az keyvault show -n $KV -g $RG --query properties.softDeleteRetentionInDays -o tsv)" 7

say "4: secret"
az keyvault set-policy -n $KV -g $RG --object-id "$(ready .operator.object_id)" --secret-permissions all >/dev/null
az keyvault secret set --vault-name $KV -n scenario --value "the cake is in the kitchen" >/dev/null

say "5: the machine's identity"
OBJECT_ID=$(az resource show --ids "$MACHINE_ID" --api-version 2024-07-10 --query identity.principalId -o tsv)
expect "principal" "$OBJECT_ID" "$(ready .machine.principal_id)"
az rest --url "$MACHINE_ID?api-version=2024-07-10" >"$work/machine.json"
expect "machine" "$(jq -r .name "$work/machine.json")" "$MACHINE"

say "6: role assignment by name"
az role assignment create --assignee "$OBJECT_ID" --role Reader --scope "/subscriptions/$SUB" >/dev/null

say "7: access policy"
az keyvault set-policy -n $KV --object-id "$OBJECT_ID" --secret-permissions get list >/dev/null

say "8: role on the account"
az role assignment create --assignee "$OBJECT_ID" --role "Storage Blob Data Contributor" --scope "$SA_ID" >/dev/null
az role assignment create --assignee-object-id "$OBJECT_ID" --assignee-principal-type ServicePrincipal \
    --role "Storage Blob Data Contributor" --scope "$SA_ID" >/dev/null || fail "the same assignment again"
az role assignment list --scope "$SA_ID" >"$work/roles.json"
expect "assignments" "$(jq -r --arg o "$OBJECT_ID" '[.[] | select(.principalId==$o) | .roleDefinitionName] | unique | join(",")' \
    "$work/roles.json")" "Storage Blob Data Contributor"

say "9: tag"
az tag update --resource-id "$MACHINE_ID" --operation Merge --tags scenario=lab >/dev/null
expect "tag" "$(az tag list --resource-id "$MACHINE_ID" --query properties.tags.scenario -o tsv)" lab

# shellcheck source=control.sh
. "$here/control.sh"

# The rest is the same under every name, so it is played where another party's issuer was prepared: in the step az.
if [ -n "${CONFORMANCE_ISSUER-}" ]; then
    # shellcheck source=directory.sh
    . "$here/directory.sh"
    # shellcheck source=access.sh
    . "$here/access.sh"
    # shellcheck source=forms.sh
    . "$here/forms.sh"
    # shellcheck source=twin.sh
    . "$here/twin.sh"
fi

say "19: the machine signs in with no password"
export AZURE_CONFIG_DIR="$work/machine"
meet_the_cloud
az login --identity >"$work/identity.json"
expect "subscription" "$(jq -r '.[0].id' "$work/identity.json")" "$SUB"
expect "kind" "$(jq -r '.[0].user.type' "$work/identity.json")" servicePrincipal
expect "secret" "$(az keyvault secret show --vault-name $KV -n scenario --query value -o tsv)" "the cake is in the kitchen"
expect "secrets" "$(az keyvault secret list --vault-name $KV --query '[0].name' -o tsv)" scenario
az storage container create --account-name $SA -n uploads --auth-mode login >/dev/null
head -c 1048576 /dev/urandom >"$work/up.bin"
az storage blob upload --account-name $SA -c uploads -n up.bin -f "$work/up.bin" --auth-mode login >/dev/null
az storage blob download --account-name $SA -c uploads -n up.bin -f "$work/down.bin" --auth-mode login >/dev/null
cmp "$work/up.bin" "$work/down.bin" || fail "the blob came back different"
expect "blobs" "$(az storage blob list --account-name $SA -c uploads --auth-mode login --query '[].name' -o tsv)" up.bin
az group create -n forbidden -l "$LOCATION" 2>"$work/refusal" && fail "a reader created a group"
grep -q AuthorizationFailed "$work/refusal" || fail "refused, but not in ARM's words: $(cat "$work/refusal")"

say "19 without the variables: by the agent's file where there is one, else by IMDS"
(
    unset IDENTITY_ENDPOINT IMDS_ENDPOINT
    export AZURE_CONFIG_DIR="$work/without"
    meet_the_cloud
    az login --identity >/dev/null
    expect "secret" "$(az keyvault secret show --vault-name $KV -n scenario --query value -o tsv)" "the cake is in the kitchen"
)

if [ "$PUBLIC" != true ] && [ -n "$METADATA_URL" ]; then
    say "the same machine, told about the cloud by ARM_CLOUD_METADATA_URL alone"
    export AZURE_CONFIG_DIR="$work/by-environment" ARM_CLOUD_METADATA_URL="$METADATA_URL"
    az cloud set -n "$(az cloud list --query '[0].name' -o tsv)"
    az login --identity >/dev/null
    expect "secret" "$(az keyvault secret show --vault-name $KV -n scenario --query value -o tsv)" \
        "the cake is in the kitchen"
fi
if [ "$PUBLIC" = true ]; then
    # Under other names it has nobody to ask about itself: it takes login.microsoftonline.com for granted there.
    # shellcheck source=cloud_shell.sh
    . "$here/cloud_shell.sh"
fi
say "fields of every answer"
python3 "$here/../fields/check.py" "$CONFORMANCE_RECORD" 50
printf '\naz: every step as in the lab\n'
