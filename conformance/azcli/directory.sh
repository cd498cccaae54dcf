#!/bin/sh
# az CLI, unmodified: every verb of `az ad` on applications, service principals, users and groups. Sourced by run.sh while
# the operator is signed in; what it makes it takes away again.

OPERATOR=$(ready .operator.object_id)

say "az ad app"
az ad app create --display-name dirapp --sign-in-audience AzureADMyOrg --web-redirect-uris https://dirapp.example/back \
    --required-resource-accesses '[{"resourceAppId":"00000003-0000-0000-c000-000000000000","resourceAccess":[
        {"id":"e1fe6dd8-ba31-4d61-89e7-88639da4683d","type":"Scope"}]}]' \
    --app-roles '[{"allowedMemberTypes":["User"],"description":"writes","displayName":"Writer","isEnabled":true,"value":"writer"}]' \
    >"$work/dirapp.json"
DIRAPP=$(jq -r .appId "$work/dirapp.json")
DIRAPP_OBJECT=$(jq -r .id "$work/dirapp.json")
expect "redirect" "$(jq -r '.web.redirectUris[0]' "$work/dirapp.json")" https://dirapp.example/back
expect "its role" "$(az ad app show --id "$DIRAPP_OBJECT" --query 'appRoles[0].value' -o tsv)" writer
az ad app create --display-name dirapp --enable-id-token-issuance true >/dev/null
expect "the same once more" "$(az ad app list --display-name dirapp --query '[].appId' -o tsv)" "$DIRAPP"
expect "changed by it" "$(az ad app show --id "$DIRAPP" --query web.implicitGrantSettings.enableIdTokenIssuance -o tsv)" true
az ad app update --id "$DIRAPP" --set tags='["a","b"]' --identifier-uris api://dirapp "api://$DIRAPP" >/dev/null
expect "uris" "$(az ad app show --id api://dirapp --query 'length(identifierUris)')" 2
expect "by filter" "$(az ad app list --filter "displayName eq 'dirapp'" --query '[].appId' -o tsv)" "$DIRAPP"
expect "by uri" "$(az ad app list --identifier-uri api://dirapp --query '[].appId' -o tsv)" "$DIRAPP"
expect "by client id" "$(az ad app list --app-id "$DIRAPP" --query '[].id' -o tsv)" "$DIRAPP_OBJECT"
expect "mine" "$(az ad app list --show-mine --query 'length(@)' 2>/dev/null || echo refused)" refused
az ad app permission add --id "$DIRAPP" --api 00000003-0000-0000-c000-000000000000 \
    --api-permissions 06da0dbc-49e2-44d2-8312-53f166ab848a=Scope 2>/dev/null
expect "permissions" "$(az ad app permission list --id "$DIRAPP" --query '[0].resourceAccess | length(@)')" 2
az ad app permission delete --id "$DIRAPP" --api 00000003-0000-0000-c000-000000000000
expect "no permission" "$(az ad app permission list --id "$DIRAPP" --query 'length(@)')" 0
az ad app federated-credential create --id "$DIRAPP" --parameters '{"name":"trust1","issuer":"https://issuer.example",
    "subject":"s1","description":"first","audiences":["api://AzureADTokenExchange"]}' >/dev/null
az ad app federated-credential update --id "$DIRAPP" --federated-credential-id trust1 \
    --parameters '{"issuer":"https://issuer.example","subject":"s2","audiences":["api://AzureADTokenExchange"]}'
expect "trust" "$(az ad app federated-credential show --id "$DIRAPP" --federated-credential-id trust1 --query subject -o tsv)" s2
az ad app federated-credential delete --id "$DIRAPP" --federated-credential-id trust1
expect "no trust" "$(az ad app federated-credential list --id "$DIRAPP" --query 'length(@)')" 0

say "az ad sp"
az ad sp create --id "$DIRAPP" >"$work/dirsp.json"
DIRSP=$(jq -r .id "$work/dirsp.json")
expect "by object id" "$(az ad sp show --id "$DIRSP" --query appId -o tsv)" "$DIRAPP"
expect "by name" "$(az ad sp list --spn api://dirapp --query '[].id' -o tsv)" "$DIRSP"
expect "by filter" "$(az ad sp list --filter "appId eq '$DIRAPP'" --query '[].id' -o tsv)" "$DIRSP"
expect "all" "$(az ad sp list --all --query "[?id=='$DIRSP'] | length(@)")" 1
az ad sp update --id "$DIRAPP" --set accountEnabled=false
expect "switched off" "$(az ad sp show --id "$DIRAPP" --query accountEnabled -o tsv)" false
az ad sp update --id "$DIRAPP" --set accountEnabled=true tags='["kept"]'
expect "tags" "$(az ad sp show --id "$DIRAPP" --query 'tags[0]' -o tsv)" kept
az ad sp credential reset --id "$DIRSP" --append --display-name ofsp --years 2 >"$work/ofsp.json"
expect "on the principal" "$(az ad sp credential list --id "$DIRAPP" --query '[].displayName' -o tsv)" ofsp
expect "not on the application" "$(az ad app credential list --id "$DIRAPP" --query 'length(@)')" 0
az ad app credential reset --id "$DIRAPP" --append --display-name ofapp --end-date 2027-06-30 >"$work/ofapp.json"
expect "on the application" "$(az ad app credential list --id "$DIRAPP" --query '[].displayName' -o tsv)" ofapp
expect "each its own" "$(az ad sp credential list --id "$DIRAPP" --query '[].displayName' -o tsv)" ofsp
az role assignment create --assignee "$DIRSP" --role Reader --scope "$GROUP_ID" >/dev/null
for whose in ofsp ofapp; do
    AZURE_CONFIG_DIR="$work/$whose" && export AZURE_CONFIG_DIR && meet_the_cloud
    az login --service-principal -u "$DIRAPP" -p "$(jq -r .password "$work/$whose.json")" --tenant "$TENANT" >/dev/null
    expect "signed in by the password $whose" "$(az group show -n $RG --query name -o tsv)" $RG
    AZURE_CONFIG_DIR=$OPERATOR_CONFIG
done
az ad sp credential delete --id "$DIRAPP" --key-id "$(az ad sp credential list --id "$DIRAPP" --query '[0].keyId' -o tsv)"
expect "no password" "$(az ad sp credential list --id "$DIRAPP" --query 'length(@)')" 0
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/sp.key" -out "$work/sp.pem" -subj /CN=dirapp -days 30 2>/dev/null
az ad sp credential reset --id "$DIRSP" --cert "@$work/sp.pem" --append >/dev/null
expect "certificate" "$(az ad sp credential list --id "$DIRSP" --cert --query 'length(@)')" 1
expect "not the application's" "$(az ad app credential list --id "$DIRAPP" --cert --query 'length(@)')" 0
expect "owner" "$(az ad sp owner list --id "$DIRSP" --query '[].id' -o tsv)" "$OPERATOR"
az ad sp create-for-rbac -n certapp --create-cert --json-auth --role Reader --scopes "$GROUP_ID" >"$work/certapp.json" 2>/dev/null
CERTAPP=$(jq -r .clientId "$work/certapp.json")
expect "for tools" "$(jq -r .subscriptionId "$work/certapp.json")" "$SUB"
AZURE_CONFIG_DIR="$work/certapp" && export AZURE_CONFIG_DIR && meet_the_cloud
az login --service-principal -u "$CERTAPP" --certificate "$(jq -r .clientCertificate "$work/certapp.json")" --tenant "$TENANT" >/dev/null
expect "signed in by its certificate" "$(az group show -n $RG --query name -o tsv)" $RG
AZURE_CONFIG_DIR=$OPERATOR_CONFIG
rm -f "$(jq -r .clientCertificate "$work/certapp.json")"
az ad app delete --id "$CERTAPP"
expect "its principal went too" "$(az ad sp list --display-name certapp --query 'length(@)')" 0

say "az ad user"
az ad user create --display-name "Grace Hopper" --user-principal-name grace@lab.example --password 'not kept: 2' \
    --mail-nickname grace >/dev/null
GRACE=$(az ad user show --id grace@lab.example --query id -o tsv)
az ad user update --id grace@lab.example --display-name "Grace B. Hopper" --account-enabled false
expect "changed" "$(az ad user show --id "$GRACE" --query displayName -o tsv)" "Grace B. Hopper"
expect "by name" "$(az ad user list --upn grace@lab.example --query '[].id' -o tsv)" "$GRACE"
expect "by display name" "$(az ad user list --display-name Grace --query '[].id' -o tsv)" "$GRACE"
expect "by filter" "$(az ad user list --filter "startswith(userPrincipalName,'grace')" --query '[].id' -o tsv)" "$GRACE"

say "az ad group"
az ad group create --display-name outer --mail-nickname outer --description "holds groups" >/dev/null
az ad group create --display-name inner --mail-nickname inner >/dev/null
az ad group create --display-name inner --mail-nickname inner >/dev/null
expect "not made twice" "$(az ad group list --display-name inner --query 'length(@)')" 1
INNER=$(az ad group show -g inner --query id -o tsv)
az ad group member add -g outer --member-id "$INNER"
az ad group member add -g inner --member-id "$GRACE"
az ad group member add -g inner --member-id "$DIRSP"
az ad group member add -g inner --member-id "$GRACE" 2>"$work/refusal" && fail "a member was added twice"
grep -q "already exist" "$work/refusal" || fail "not in Graph's words: $(cat "$work/refusal")"
expect "members" "$(az ad group member list -g inner --query 'length(@)')" 2
expect "groups of a user" "$(az ad user get-member-groups --id "$GRACE" --query '[].displayName | sort(@) | join(`,`, @)' -o tsv)" inner,outer
expect "groups of a group" "$(az ad group get-member-groups -g inner -o tsv)" "$(az ad group show -g outer --query id -o tsv)"
expect "through a group" "$(az ad group member check -g outer --member-id "$GRACE" --query value)" true
az ad group owner add -g inner --owner-object-id "$DIRSP"
expect "owners" "$(az ad group owner list -g inner --query 'length(@)')" 2
az ad group owner remove -g inner --owner-object-id "$DIRSP"
expect "owner" "$(az ad group owner list -g inner --query '[].id' -o tsv)" "$OPERATOR"
expect "by filter" "$(az ad group list --filter "displayName eq 'outer'" --query '[].description' -o tsv)" "holds groups"

say "ownership"
az ad app owner add --id "$DIRAPP" --owner-object-id "$GRACE"
expect "owners" "$(az ad app owner list --id "$DIRAPP" --query 'length(@)')" 2
az ad app owner remove --id "$DIRAPP" --owner-object-id "$GRACE"
expect "owner" "$(az ad app owner list --id "$DIRAPP" --query '[].id' -o tsv)" "$OPERATOR"

say "what is not there is said so"
az ad user show --id nobody@lab.example 2>"$work/refusal" && fail "nobody is shown"
grep -q "does not exist" "$work/refusal" || fail "not in Graph's words: $(cat "$work/refusal")"
az ad sp show --id 99999999-0000-4000-8000-000000000000 2>/dev/null && fail "an unknown principal is shown"
az ad app show --id api://nobody 2>/dev/null && fail "an unknown application is shown"

az ad group delete -g outer
az ad group delete -g inner
az ad user delete --id "$GRACE"
az ad sp delete --id "$DIRSP"
expect "the application stays" "$(az ad app list --app-id "$DIRAPP" --query 'length(@)')" 1
az ad app delete --id "$DIRAPP_OBJECT"
