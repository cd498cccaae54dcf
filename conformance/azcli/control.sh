#!/bin/sh
# az CLI, unmodified, as the operator: every command that manages resources, roles and the directory. Sourced by run.sh
# while the operator is signed in; what it makes it takes away again.

SCOPE=/subscriptions/$SUB
GROUP_ID=$SCOPE/resourceGroups/$RG

say "groups"
az group update -n $RG --set tags.team=lab >/dev/null
expect "group by tag" "$(az group list --tag team=lab --query '[].name' -o tsv)" $RG
expect "no group by tag" "$(az group list --tag team=other --query '[].name' -o tsv)" ""
expect "location" "$(az account list-locations --query "[?name=='$LOCATION'].displayName | length(@)")" 1
az provider register -n Microsoft.KeyVault >/dev/null
expect "features" "$(az feature list --query 'length(@)')" 0
expect "provider" "$(az provider show -n Microsoft.KeyVault --query registrationState -o tsv)" Registered
expect "operations" "$(az provider operation show -n Microsoft.KeyVault -o tsv --query \
    "resourceTypes[?name=='vaults/secrets'].operations[] | [?isDataAction && contains(name, 'getSecret')].name")" \
    Microsoft.KeyVault/vaults/secrets/getSecret/action

say "resources of any type"
VM=$(az resource create -g $RG -n made --resource-type Microsoft.HybridCompute/machines -l "$LOCATION" \
    --is-full-object -p "{\"location\":\"$LOCATION\",\"properties\":{\"osType\":\"linux\"}}" --query id -o tsv)
az resource tag --ids "$VM" --tags env=dev >/dev/null
expect "tag kept" "$(az resource show --ids "$VM" --query tags.env -o tsv)" dev
az resource update --ids "$VM" --set tags.env=prod >/dev/null
expect "by tag" "$(az resource list --tag env=prod --query '[].name' -o tsv)" made
expect "by group" "$(az resource list -g $RG --query 'length(@)')" 3
expect "by type" "$(az resource list -g $RG --resource-type Microsoft.HybridCompute/machines --query '[].name' -o tsv)" made
expect "by name" "$(az resource list -n made --query '[].id' -o tsv)" "$VM"
az resource delete --ids "$VM" >/dev/null
az resource show --ids "$VM" >/dev/null 2>"$work/refusal" && fail "a deleted resource is shown"
grep -q ResourceNotFound "$work/refusal" || fail "gone, but not in ARM's words: $(cat "$work/refusal")"

say "tags"
az tag create --name planned >/dev/null
az tag add-value --name planned --value soon >/dev/null
expect "tag value" "$(az tag list --query "[?tagName=='planned'].values[0].tagValue" -o tsv)" soon
az tag remove-value --name planned --value soon >/dev/null
az tag delete --name planned -y >/dev/null
az tag create --resource-id "$GROUP_ID" --tags a=b c=d >/dev/null
az tag update --resource-id "$GROUP_ID" --operation delete --tags a=b >/dev/null
expect "tags of a group" "$(az tag list --resource-id "$GROUP_ID" --query properties.tags -o json | jq -c .)" '{"c":"d"}'

say "identities"
az identity create -n app1 -g $RG >/dev/null
PRINCIPAL=$(az identity show -n app1 -g $RG --query principalId -o tsv)
az identity federated-credential create -n ci1 --identity-name app1 -g $RG --issuer https://issuer.example \
    --subject system:serviceaccount:lab:runner --audiences api://AzureADTokenExchange >/dev/null
az identity federated-credential update -n ci1 --identity-name app1 -g $RG --issuer https://issuer.example \
    --subject system:serviceaccount:lab:other --audiences api://AzureADTokenExchange >/dev/null
expect "trust" "$(az identity federated-credential list --identity-name app1 -g $RG --query '[].subject' -o tsv)" \
    system:serviceaccount:lab:other
az identity federated-credential delete -n ci1 --identity-name app1 -g $RG -y >/dev/null
expect "identities" "$(az identity list -g $RG --query '[].name' -o tsv)" app1

say "roles"
cat >"$work/role.json" <<JSON
{"Name": "Lab Reader", "Description": "reads tags", "Actions": ["Microsoft.Resources/subscriptions/tagNames/read"],
 "AssignableScopes": ["$SCOPE"]}
JSON
az role definition create --role-definition "$work/role.json" >/dev/null
sed -i 's/"reads tags"/"reads tags only"/' "$work/role.json"
az role definition update --role-definition "$work/role.json" >/dev/null
expect "role" "$(az role definition list -n 'Lab Reader' --query '[0].description' -o tsv)" "reads tags only"
expect "custom roles" "$(az role definition list --custom-role-only true --query '[].roleName' -o tsv)" "Lab Reader"
az role assignment create --assignee "$PRINCIPAL" --role "Lab Reader" --scope "$SCOPE" >/dev/null
az role assignment create --assignee "$(az identity show -n app1 -g $RG --query clientId -o tsv)" --role Reader \
    --scope "$GROUP_ID" >/dev/null
expect "assignments" "$(az role assignment list --assignee "$PRINCIPAL" --all --query 'length(@)')" 2
expect "inherited" "$(az role assignment list --assignee "$PRINCIPAL" --scope "$GROUP_ID" --include-inherited \
    --query '[].roleDefinitionName | sort(@) | join(`,`, @)' -o tsv)" "Lab Reader,Reader"
az role definition delete -n "Lab Reader" 2>"$work/refusal" && fail "a role that is assigned was deleted"
grep -q RoleDefinitionHasAssignments "$work/refusal" || fail "not in ARM's words: $(cat "$work/refusal")"
az role assignment delete --assignee "$PRINCIPAL" --role "Lab Reader" --scope "$SCOPE" >/dev/null
az role definition delete -n "Lab Reader" >/dev/null
expect "roles" "$(az role definition list --custom-role-only true --query 'length(@)')" 0

say "applications"
az ad sp create-for-rbac -n labapp --role Reader --scopes "$GROUP_ID" >"$work/app.json"
APP1=$(jq -r .appId "$work/app.json")
expect "application" "$(az ad app show --id "$APP1" --query displayName -o tsv)" labapp
SP1=$(az ad sp show --id "$APP1" --query id -o tsv)
expect "service principal" "$(az ad sp list --display-name labapp --query '[].id' -o tsv)" "$SP1"
expect "its role" "$(az role assignment list --assignee "$APP1" --scope "$GROUP_ID" --query '[].principalId' -o tsv)" "$SP1"
az ad app update --id "$APP1" --identifier-uris api://labapp >/dev/null
expect "by its URI" "$(az ad sp show --id api://labapp --query appId -o tsv)" "$APP1"
az role assignment create --assignee api://labapp --role "Tag Contributor" --scope "$GROUP_ID" >/dev/null
az ad app federated-credential create --id "$APP1" --parameters '{"name":"ci1","issuer":"https://issuer.example",
    "subject":"repo:org/lab:ref:refs/heads/main","audiences":["api://AzureADTokenExchange"]}' >/dev/null
expect "trust" "$(az ad app federated-credential list --id "$APP1" --query '[].name' -o tsv)" ci1
az ad app federated-credential delete --id "$APP1" --federated-credential-id ci1 >/dev/null
az ad app credential reset --id "$APP1" --append --display-name second >"$work/second.json"
expect "passwords" "$(az ad app credential list --id "$APP1" --query 'length(@)')" 2
az ad app credential delete --id "$APP1" \
    --key-id "$(az ad app credential list --id "$APP1" --query "[?displayName=='second'].keyId" -o tsv)" >/dev/null
expect "passwords" "$(az ad app credential list --id "$APP1" --query 'length(@)')" 1
expect "owner" "$(az ad app owner list --id "$APP1" --query '[].id' -o tsv)" "$(ready .operator.object_id)"

say "people"
az ad user create --display-name Ada --user-principal-name ada@lab.example --password 'not kept: 1' >/dev/null
ADA=$(az ad user show --id ada@lab.example --query id -o tsv)
az role assignment create --assignee ada@lab.example --role Reader --scope "$GROUP_ID" >/dev/null
expect "user" "$(az role assignment list --assignee ada@lab.example --scope "$GROUP_ID" --query '[].principalType' -o tsv)" User
az ad group create --display-name builders --mail-nickname builders >/dev/null
az ad group member add -g builders --member-id "$ADA"
expect "members" "$(az ad group member list -g builders --query '[].displayName' -o tsv)" Ada
expect "member" "$(az ad group member check -g builders --member-id "$ADA" --query value)" true
BUILDERS=$(az ad group show -g builders --query id -o tsv)
az role assignment create --assignee "$BUILDERS" --role Contributor --scope "$GROUP_ID" >/dev/null
expect "through the group" "$(az role assignment list --assignee "$ADA" --include-groups --scope "$GROUP_ID" \
    --query '[].roleDefinitionName | sort(@) | join(`,`, @)' -o tsv)" "Contributor,Reader"
az ad group member remove -g builders --member-id "$ADA"
az ad group delete -g builders
az ad user delete --id ada@lab.example
az ad signed-in-user show >/dev/null 2>&1 && fail "an application is no user"

say "locks"
az lock create -n keep -g $RG --lock-type CanNotDelete >/dev/null
expect "lock" "$(az lock list -g $RG --query '[].name' -o tsv)" keep
az identity delete -n app1 -g $RG 2>"$work/refusal" && fail "a locked resource was deleted"
grep -q ScopeLocked "$work/refusal" || fail "not in ARM's words: $(cat "$work/refusal")"
az lock delete -n keep -g $RG
az identity delete -n app1 -g $RG

say "what happened"
az monitor activity-log list -g $RG --offset 1h --query "[].operationName.value" -o tsv >"$work/log"
grep -q Microsoft.ManagedIdentity/userAssignedIdentities/delete "$work/log" || fail "the activity log misses a delete"
expect "root group" "$(az account management-group list --query '[].name' -o tsv)" "$TENANT"
expect "nothing is denied" "$(az role deny-assignment list --scope "$GROUP_ID" --query 'length(@)')" 0

say "vaults and accounts"
expect "name taken" "$(az storage account check-name -n $SA --query reason -o tsv)" AlreadyExists
expect "keys" "$(az storage account keys list -n $SA -g $RG --query '[].keyName | join(`,`, @)' -o tsv)" key1,key2
KEY1=$(az storage account keys list -n $SA -g $RG --query '[0].value' -o tsv)
[ "$(az storage account keys renew -n $SA -g $RG --key key1 --query '[0].value' -o tsv)" != "$KEY1" ] || fail "the key stayed"
az storage container-rm create --storage-account $SA -g $RG -n managed >/dev/null
expect "container" "$(az storage container-rm list --storage-account $SA -g $RG --query '[].name' -o tsv)" managed
ACCOUNT_SAS=$(az rest -m post -u "$SA_ID/listAccountSas?api-version=2025-08-01" --query accountSasToken -o tsv -b '{
    "signedServices":"b","signedResourceTypes":"co","signedPermission":"cw","signedExpiry":"2099-01-01T00:00:00Z"}')
az storage blob upload --account-name $SA -c managed -n signed -f "$work/login.json" --sas-token "$ACCOUNT_SAS" >/dev/null
SERVICE_SAS=$(az rest -m post -u "$SA_ID/listServiceSas?api-version=2025-08-01" --query serviceSasToken -o tsv -b "{
    \"canonicalizedResource\":\"/blob/$SA/managed\",\"signedResource\":\"c\",\"signedPermission\":\"rl\",
    \"signedExpiry\":\"2099-01-01T00:00:00Z\",\"keyToSign\":\"key2\"}")
expect "signed for" "$(az storage blob list --account-name $SA -c managed --sas-token "$SERVICE_SAS" --query '[].name' -o tsv)" signed
az storage container-rm delete --storage-account $SA -g $RG -n managed -y
expect "account without its group" "$(az storage account show -n $SA --query name -o tsv)" $SA
az keyvault create -n second$KV -g $RG -l "$LOCATION" --retention-days 7 >/dev/null
expect "secret of a template" "$(az rest -m put -b '{"properties":{"value":"untold"}}' --query 'properties.value || name' -o tsv \
    -u "$GROUP_ID/providers/Microsoft.KeyVault/vaults/second$KV/secrets/made?api-version=2024-11-01")" made
expect "vaults" "$(az keyvault list -g $RG --query 'length(@)')" 2
az keyvault delete -n second$KV -g $RG
expect "deleted" "$(az keyvault list-deleted --resource-type vault --query '[].name' -o tsv)" second$KV
az keyvault recover -n second$KV -g $RG -l "$LOCATION" >/dev/null
az keyvault delete -n second$KV -g $RG
az keyvault purge -n second$KV -l "$LOCATION"
expect "purged" "$(az keyvault list-deleted --resource-type vault --query 'length(@)')" 0

say "signing in by every means"
sign_in() { AZURE_CONFIG_DIR="$work/$1" && export AZURE_CONFIG_DIR && meet_the_cloud; }
OPERATOR_CONFIG=$AZURE_CONFIG_DIR
sign_in by-secret
az login --service-principal -u "$APP1" -p "$(jq -r .password "$work/app.json")" --tenant "$TENANT" >/dev/null
expect "as the application" "$(az account show --query user.name -o tsv)" "$APP1"
[ -n "$(az account get-access-token --query accessToken -o tsv)" ] || fail "no token"
az logout
az login --service-principal -u "$APP1" -p wrong --tenant "$TENANT" 2>"$work/refusal" && fail "a wrong secret passed"
grep -q AADSTS7000215 "$work/refusal" || fail "not in Entra's words: $(cat "$work/refusal")"
AZURE_CONFIG_DIR=$OPERATOR_CONFIG
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/key.pem" -out "$work/cert.pem" -subj /CN=labapp -days 30 2>/dev/null
az ad app credential reset --id "$APP1" --cert "@$work/cert.pem" --append >/dev/null
expect "certificates" "$(az ad app credential list --id "$APP1" --cert --query 'length(@)')" 1
cat "$work/key.pem" "$work/cert.pem" >"$work/both.pem"
sign_in by-certificate
az login --service-principal -u "$APP1" --certificate "$work/both.pem" --tenant "$TENANT" >/dev/null
expect "by certificate" "$(az group show -n $RG --query name -o tsv)" $RG
sign_in by-token
b64() { base64 | tr -d '=\n' | tr '/+' '_-'; }
FORGED=$(printf '{"alg":"RS256","kid":"x"}' | b64).$(printf '{"iss":"https://issuer.example","sub":"s","aud":"api://AzureADTokenExchange","exp":4000000000}' | b64).AAAA
az login --service-principal -u "$APP1" --federated-token "$FORGED" --tenant "$TENANT" 2>"$work/refusal" && fail "a forged token passed"
grep -q AADSTS700211 "$work/refusal" || fail "not in Entra's words: $(cat "$work/refusal")"
AZURE_CONFIG_DIR=$OPERATOR_CONFIG
az ad sp delete --id "$APP1"
az ad app delete --id "$APP1"
expect "application" "$(az ad app list --display-name labapp --query 'length(@)')" 0
expect "its roles went too" "$(az role assignment list --scope "$GROUP_ID" --query "[?principalId=='$SP1'] | length(@)")" 0

say "moving"
az group create -n second -l "$LOCATION" >/dev/null
VM=$(az resource create -g $RG -n mover --resource-type Microsoft.HybridCompute/machines -l "$LOCATION" -p '{}' --query id -o tsv)
az resource move --destination-group second --ids "$VM" >/dev/null
expect "moved" "$(az resource list -g second --query '[].name' -o tsv)" mover
expect "template" "$(az group export -n second --skip-all-params --query 'resources[0].type' -o tsv)" \
    "$(az resource list -g second --query '[0].type' -o tsv)"
az group delete -n second -y
expect "gone" "$(az group exists -n second)" false
