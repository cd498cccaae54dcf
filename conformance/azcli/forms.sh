#!/bin/sh
# az CLI, unmodified: the forms of its commands that the other scripts do not play, and what it says where a site has
# nothing. Sourced by run.sh while the operator is signed in; what it makes it takes away again.

# refused WORDS COMMAND...: az ends with an error that has these words, and with no traceback.
refused() {
    words=$1
    shift
    "$@" >/dev/null 2>"$work/refusal" && fail "$* was answered"
    grep -q Traceback "$work/refusal" && fail "$* fell over: $(tail -3 "$work/refusal")"
    grep -q "$words" "$work/refusal" || fail "$*: $(cat "$work/refusal")"
}

say "waiting and changing"
az group wait -n $RG --custom "properties.provisioningState=='Succeeded'" --timeout 30
az group wait -n nosuch --deleted --timeout 30
az group update -n $RG --tags a=1 b=2 >/dev/null
expect "tags" "$(az group update -n $RG --tags c=3 --query 'keys(tags) | join(`,`, @)' -o tsv)" c
refused InvalidResourceGroupLocation az group create -n $RG -l eastus
refused InvalidResourceGroup az group create -n "bad name!" -l "$LOCATION"
az identity create -n forms -g $RG >/dev/null
FORMS=$(az identity show -n forms -g $RG --query id -o tsv)
az resource wait --ids "$FORMS" --custom "name=='forms'" --timeout 30
az resource wait --ids "${FORMS}x" --deleted --timeout 30
expect "whole answer" "$(az resource show --ids "$FORMS" --include-response-body true --query responseBody.name -o tsv)" forms
az resource update --ids "$FORMS" --set tags.q=1 --latest-include-preview >/dev/null 2>&1
az resource update --ids "$FORMS" --remove tags.q >/dev/null
az resource invoke-action --action listKeys --ids "$SA_ID" --request-body '{}' >/dev/null
refused InvalidResourceType az resource invoke-action --action frobnicate --ids "$FORMS"
refused InvalidApiVersionParameter az resource show --ids "$FORMS" --api-version nonsense
refused InvalidResourceNamespace az resource show -g $RG -n x --resource-type Microsoft.Compute/virtualMachines
refused "'sku' must be an object" az rest -m put -u "${FORMS}2?api-version=2024-11-30" -b "{\"location\":\"$LOCATION\",\"sku\":[]}"
az tag create --resource-id "$SCOPE" --tags s=1 t=2 >/dev/null
expect "replaced" "$(az tag update --resource-id "$SCOPE" --operation replace --tags s=2 --query 'properties.tags.s' -o tsv)" 2
az tag delete --resource-id "$SCOPE" -y
expect "no tags" "$(az tag list --resource-id "$SCOPE" --query 'length(properties.tags)')" 0
refused TagNameNotFound az tag add-value --name nosuch --value v

say "the activity log by every filter"
log() { az monitor activity-log list --offset 1h "$@" -o tsv; }
log --caller "$(ready .operator.object_id)" --query '[].operationName.value' >"$work/log"
grep -q Microsoft.ManagedIdentity/userAssignedIdentities/write "$work/log" || fail "the caller's deeds are missing"
expect "nobody's" "$(log --caller nobody@lab.example --query 'length(@)')" 0
log --namespace Microsoft.ManagedIdentity --query '[].resourceProviderName.value' >"$work/log"
expect "of a provider" "$(sort -u "$work/log")" Microsoft.ManagedIdentity
log --resource-id "$FORMS" --status Succeeded --query '[].operationName.value' >"$work/log"
expect "of a resource" "$(sort -u "$work/log")" Microsoft.ManagedIdentity/userAssignedIdentities/write
expect "selected" "$(log --max-events 1 --select eventTimestamp caller --query '[0].operationName')" ""
expect "categories" "$(az monitor activity-log list-categories --query '[].value' -o tsv)" Administrative
az role assignment list-changelogs >/dev/null

say "locks, features and management groups"
az account lock create -n forms -t ReadOnly >/dev/null
expect "changed" "$(az account lock update -n forms -t CanNotDelete --notes hi --query level -o tsv)" CanNotDelete
az account lock delete -n forms
az lock create -n forms --lock-type CanNotDelete --resource "$FORMS" >/dev/null
expect "by id" "$(az lock list --resource "$FORMS" --query '[].name' -o tsv)" forms
az resource lock delete -n forms -g $RG --resource forms --resource-type Microsoft.ManagedIdentity/userAssignedIdentities
refused LockNotFound az lock show -n nosuch -g $RG
refused FeatureNotFound az feature show --namespace Microsoft.Storage -n x
refused UnsupportedHttpMethod az account management-group create -n mg1
refused InvalidResourceType az policy assignment list

say "what a vault and an account can still say"
az keyvault create -n formskv2 -g $RG -l "$LOCATION" --retention-days 7 >/dev/null
az keyvault wait -n formskv2 --exists --timeout 30
az keyvault network-rule add -n formskv2 --ip-address 192.0.2.1 >/dev/null
expect "rule" "$(az keyvault network-rule list -n formskv2 --query 'length(ipRules)')" 1
az keyvault network-rule remove -n formskv2 --ip-address 192.0.2.1 >/dev/null
refused "fixed when the vault is created" az keyvault update -n formskv2 -g $RG --retention-days 10
refused irreversible az keyvault update -n formskv2 -g $RG --enable-purge-protection false
az keyvault delete -n formskv2 2>/dev/null
expect "deleted" "$(az keyvault show-deleted -n formskv2 --query name -o tsv)" formskv2
expect "by its id" "$(az resource show --ids "$SCOPE/providers/Microsoft.KeyVault/locations/$LOCATION/deletedVaults/formskv2" \
    --query name -o tsv)" formskv2
refused ConflictError az keyvault create -n formskv2 -g $RG -l "$LOCATION"
az keyvault purge -n formskv2 --no-wait
expect "keys" "$(az storage account keys renew -n $SA -g $RG --key secondary --query 'length(@)' 2>/dev/null)" 2
refused networkAcls az storage account create -n formssa -g $RG --default-action Deny
refused deleteRetentionPolicy az storage account blob-service-properties update -n $SA -g $RG --enable-delete-retention true --delete-retention-days 7
az storage account revoke-delegation-keys -n $SA -g $RG
az identity delete -n forms -g $RG
expect "gone, and said so" "$(az identity list -g $RG --query "[?name=='forms'] | length(@)")" 0
