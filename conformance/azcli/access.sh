#!/bin/sh
# az CLI, unmodified: roles, locks and resources by every form in which az takes them. Sourced by run.sh while the operator
# is signed in; what it makes it takes away again.

say "assignments by every form"
READER=acdd72a7-3385-48ef-bd42-f606fba81ae7
az identity create -n holder -g $RG >"$work/holder.json"
HOLDER=$(jq -r .principalId "$work/holder.json")
HOLDER_ID=$(jq -r .id "$work/holder.json")
# given WHAT FLAGS...: assigns, sees it listed at the scope by the same words, and takes it away.
given() {
    what=$1
    shift
    az role assignment create --assignee "$HOLDER" "$@" --query id -o tsv >"$work/given" || fail "assigning by $what"
    expect "$what" "$(az role assignment list --assignee "$HOLDER" --all --query '[].id' -o tsv)" "$(cat "$work/given")"
    az role assignment delete --assignee "$HOLDER" "$@" || fail "taking away by $what"
    expect "$what, taken away" "$(az role assignment list --assignee "$HOLDER" --all --query 'length(@)')" 0
}
given "name and scope" --role Reader --scope "$GROUP_ID"
given "GUID" --role $READER --scope "$GROUP_ID"
given "full id" --role "$SCOPE/providers/Microsoft.Authorization/roleDefinitions/$READER" --scope "$SCOPE"
given "a resource" --role "Managed Identity Operator" --scope "$HOLDER_ID"
az role assignment create --assignee "$(jq -r .clientId "$work/holder.json")" --role Reader -n 11111111-aaaa-4bbb-8ccc-000000000001 \
    --scope "$GROUP_ID" --description "by name" >"$work/named.json"
expect "its own name" "$(jq -r .name "$work/named.json")" 11111111-aaaa-4bbb-8ccc-000000000001
jq '.description = "changed"' "$work/named.json" >"$work/renamed.json"
expect "changed" "$(az role assignment update --role-assignment "$work/renamed.json" --query description -o tsv)" changed
expect "in the group" "$(az role assignment list -g $RG --query "[?principalId=='$HOLDER'].roleDefinitionName" -o tsv)" Reader
expect "by role" "$(az role assignment list --role Reader --scope "$GROUP_ID" --query "[?principalId=='$HOLDER'] | length(@)")" 1
az role assignment delete --ids "$(jq -r .id "$work/named.json")"
az role assignment create --assignee-object-id "$HOLDER" --assignee-principal-type ServicePrincipal \
    --role "Storage Blob Data Reader" --scope "$SA_ID" --condition-version 2.0 --condition \
    "((!(ActionMatches{'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read'})) OR (@Resource[Microsoft.Storage/storageAccounts/blobServices/containers:name] StringEquals 'open'))" \
    --query condition -o tsv | grep -q StringEquals || fail "the condition is not shown"
az role assignment delete --assignee "$HOLDER" --scope "$SA_ID"
az role assignment create --assignee nobody@lab.example --role Reader --scope "$GROUP_ID" 2>"$work/refusal" && fail "nobody got a role"
grep -q "Cannot find user or service principal" "$work/refusal" || fail "not in az's words: $(cat "$work/refusal")"
expect "definition by GUID" "$(az role definition list -n $READER --query '[0].roleName' -o tsv)" Reader
expect "definition by id" "$(az role definition show --id "/providers/Microsoft.Authorization/roleDefinitions/$READER" --query roleName -o tsv)" Reader
[ "$(az role definition list --scope "$GROUP_ID" --query 'length(@)')" -gt 100 ] || fail "roles are missing"

say "locks by every form"
az group lock create -n groups -g $RG --lock-type ReadOnly --notes "for now" >/dev/null
az identity create -n locked -g $RG >/dev/null 2>"$work/refusal" && fail "a locked group was written to"
grep -q ScopeLocked "$work/refusal" || fail "not in ARM's words: $(cat "$work/refusal")"
az group lock update -n groups -g $RG --lock-type CanNotDelete >/dev/null
expect "level" "$(az group lock show -n groups -g $RG --query level -o tsv)" CanNotDelete
az lock create -n resources -g $RG --resource-type Microsoft.ManagedIdentity/userAssignedIdentities --resource holder \
    --lock-type CanNotDelete >/dev/null
expect "of a resource" "$(az lock list -g $RG --resource-type Microsoft.ManagedIdentity/userAssignedIdentities \
    --resource holder --query '[].name | sort(@) | join(`,`, @)' -o tsv)" groups,resources
az account lock create -n subs --lock-type CanNotDelete >/dev/null
expect "of the subscription" "$(az account lock list --filter-string 'atScope()' --query '[].name' -o tsv)" subs
az account lock delete -n subs
LOCK=$(az lock show -n resources -g $RG --resource-type Microsoft.ManagedIdentity/userAssignedIdentities --resource holder --query id -o tsv)
az lock update --ids "$LOCK" --notes "by id" >/dev/null
az lock delete --ids "$LOCK"
az group lock delete -n groups -g $RG

say "resources by every filter"
az tag update --resource-id "$HOLDER_ID" --operation Merge --tags env=dev owner=lab >/dev/null
expect "tag's name" "$(az resource list --tag env --query '[].name' -o tsv)" holder
expect "tag" "$(az resource list --tag env=dev --query '[].name' -o tsv)" holder
expect "another value" "$(az resource list --tag env=prod --query 'length(@)')" 0
expect "place and type" "$(az resource list -l "$LOCATION" --resource-type Microsoft.ManagedIdentity/userAssignedIdentities \
    --query '[].name' -o tsv)" holder
expect "namespace" "$(az resource list --namespace Microsoft.ManagedIdentity --resource-type userAssignedIdentities --query '[].name' -o tsv)" holder
az resource tag --ids "$HOLDER_ID" --tags env=test -i >/dev/null
expect "added" "$(az resource show -g $RG -n holder --resource-type Microsoft.ManagedIdentity/userAssignedIdentities \
    --query 'join(`,`, [tags.env, tags.owner])' -o tsv)" test,lab
az resource patch --ids "$HOLDER_ID" -p '{"tags":{"env":"patched"}}' --is-full-object >/dev/null
expect "patched" "$(az identity show --ids "$HOLDER_ID" --query tags.env -o tsv)" patched
az resource wait --ids "$HOLDER_ID" --exists --timeout 30
az group wait -n $RG --created --timeout 30
[ "$(az provider list --query 'length(@)')" -ge 6 ] || fail "providers are missing"
az provider unregister -n Microsoft.Storage >/dev/null 2>&1 || true
expect "registered" "$(az provider show -n Microsoft.Storage --query registrationState -o tsv)" Registered
expect "management group" "$(az account management-group show -n "$TENANT" --query tenantId -o tsv)" "$TENANT"
expect "with children" "$(az account management-group show -n "$TENANT" -e -r --query 'children[0].name' -o tsv)" "$SUB"

say "vaults and accounts by every form"
az keyvault create -n formskv -g $RG -l "$LOCATION" --enable-rbac-authorization false >/dev/null
az keyvault set-policy -n formskv --spn "$APP" --secret-permissions get >/dev/null
az ad user create --display-name Lin --user-principal-name lin@lab.example --password 'not kept: 4' >/dev/null
az keyvault set-policy -n formskv --upn lin@lab.example --secret-permissions list >/dev/null
expect "policies" "$(az keyvault show -n formskv --query 'length(properties.accessPolicies)')" 2
az keyvault delete-policy -n formskv --upn lin@lab.example >/dev/null
az ad user delete --id lin@lab.example
az keyvault update -n formskv -g $RG --set tags.forms=yes >/dev/null
expect "updated" "$(az keyvault show -n formskv --query tags.forms -o tsv)" yes
expect "in the subscription" "$(az keyvault list --query "[?name=='formskv'] | length(@)")" 1
az keyvault delete -n formskv
az keyvault purge -n formskv
az storage account update -n $SA -g $RG --set tags.forms=yes --min-tls-version TLS1_2 >/dev/null
expect "updated" "$(az storage account show -n $SA -g $RG --query tags.forms -o tsv)" yes
expect "in the group" "$(az storage account list -g $RG --query '[].name' -o tsv)" $SA
# Without --auth-mode az looks for the account, asks for its keys and signs with one.
az storage container create --account-name $SA -n bykey 2>/dev/null >"$work/bykey.json"
expect "signed with a key" "$(jq -r .created "$work/bykey.json")" true
az storage container delete --account-name $SA -n bykey 2>/dev/null >/dev/null
case $(az storage account show-connection-string -n $SA -g $RG --query connectionString -o tsv) in
*AccountKey=*) ;;
*) fail "no connection string" ;;
esac

say "raw requests"
az rest -m put -u "$GROUP_ID/providers/Microsoft.ManagedIdentity/userAssignedIdentities/raw?api-version=2023-01-31" \
    -b "{\"location\":\"$LOCATION\"}" --query name -o tsv | grep -qx raw || fail "az rest put"
az rest -m patch -u "$GROUP_ID/providers/Microsoft.ManagedIdentity/userAssignedIdentities/raw" --uri-parameters api-version=2023-01-31 \
    -b '{"tags":{"a":"b"}}' --query tags.a -o tsv | grep -qx b || fail "az rest patch"
az rest -m delete -u "$GROUP_ID/providers/Microsoft.ManagedIdentity/userAssignedIdentities/raw?api-version=2023-01-31"
GRAPH=$(az cloud show --query endpoints.microsoftGraphResourceId -o tsv)
expect "Graph" "$(az rest -u "${GRAPH%/}/v1.0/servicePrincipals/$HOLDER" --query id -o tsv)" "$HOLDER"
az rest -u "$SCOPE/resourceGroups/none?api-version=2021-04-01" 2>"$work/refusal" && fail "an unknown group is shown"
grep -q ResourceGroupNotFound "$work/refusal" || fail "not in ARM's words: $(cat "$work/refusal")"
code=0
az group show -n none 2>/dev/null || code=$?
expect "az says of what is not there" $code 3

say "tokens"
# audience FLAGS...: for whom the token is
audience() {
    az account get-access-token "$@" --query accessToken -o tsv | cut -d . -f 2 | tr '_-' '/+' | sed 's/$/===/' |
        base64 -d 2>/dev/null | jq -r .aud
}
expect "for the resource manager" "$(audience)" "$(az cloud show --query endpoints.activeDirectoryResourceId -o tsv)"
expect "for a vault" "$(audience --resource https://vault.azure.net)" https://vault.azure.net
expect "by scope" "$(audience --scope https://storage.azure.com/.default)" https://storage.azure.com
expect "by type" "$(audience --resource-type ms-graph)" "$GRAPH"
expect "subscription" "$(az account get-access-token --subscription "$SUB" --query subscription -o tsv)" "$SUB"
az account list --refresh --query '[].id' -o tsv | grep -qx "$SUB" || fail "the subscription is not listed"
az account set -s "$SUB"
az account clear

say "a token of another issuer"
AZURE_CONFIG_DIR=$work/by-trust && export AZURE_CONFIG_DIR && meet_the_cloud
az login --service-principal -u "$APP" -p "$(cat "$SECRET_FILE")" --tenant "$TENANT" >/dev/null
issuer() { python3 "$here/../issuer/issuer.py" "$1" "$CONFORMANCE_ISSUER" ${2+"$2"}; }
rm -f "$CONFORMANCE_ISSUER/issuer"
# The program itself, not a shell around it, which would end alone.
python3 "$here/../issuer/issuer.py" serve "$CONFORMANCE_ISSUER" & ISSUER=$!
trap 'kill "$ISSUER" 2>/dev/null || true; rm -rf "$work"' EXIT
until [ -e "$CONFORMANCE_ISSUER/issuer" ]; do kill -0 "$ISSUER" || fail "the issuer does not start"; done
az identity federated-credential create -n trust --identity-name holder -g $RG --issuer "$(cat "$CONFORMANCE_ISSUER/issuer")" \
    --subject repo:org/lab:ref:refs/heads/main --audiences api://AzureADTokenExchange >/dev/null
az role assignment create --assignee "$HOLDER" --role Reader --scope "$GROUP_ID" >/dev/null
sign_in by-federation
az login --service-principal -u "$(jq -r .clientId "$work/holder.json")" --tenant "$TENANT" \
    --federated-token "$(issuer token repo:org/lab:ref:refs/heads/main)" >/dev/null
expect "as the identity" "$(az account show --query user.name -o tsv)" "$(jq -r .clientId "$work/holder.json")"
expect "its right" "$(az group show -n $RG --query name -o tsv)" $RG
az logout
az login --service-principal -u "$(jq -r .clientId "$work/holder.json")" --tenant "$TENANT" \
    --federated-token "$(issuer token repo:org/lab:ref:refs/heads/other)" 2>"$work/refusal" && fail "another subject passed"
grep -q AADSTS700213 "$work/refusal" || fail "not in Entra's words: $(cat "$work/refusal")"
kill "$ISSUER"
AZURE_CONFIG_DIR=$work/by-trust
az identity delete --ids "$HOLDER_ID"
