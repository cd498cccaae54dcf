# az as in Cloud Shell, with an identity of csagent's; read by run.sh. az knows where it is by two variables, and asks the one
# port that Cloud Shell has, whatever MSI_ENDPOINT says.
say "in Cloud Shell's way"
data=$work/agent
"$CSAGENT" connect --data "$data" --site "$MANAGEMENT" --ca-file "$(ready .ca_file)" -g $RG -n shell -i "$APP" \
    --service-principal-secret-file "$SECRET_FILE"
echo '{"sources": [{"name": "shell", "kind": "cloud-shell", "listen": "127.0.0.1:50342", "identity": "system"}]}' >"$data/sources.json"
"$CSAGENT" run --data "$data" --himds-port 0 --ready-file "$work/ready.json" &
agent=$!
tries=0
until [ -f "$work/ready.json" ]; do tries=$((tries + 1)); [ "$tries" -lt 150 ] || fail "csagent is not ready"; sleep 0.1; done
SHELL_OBJECT=$(jq -r .principal_id "$data/agentconfig.json")
AZURE_CONFIG_DIR="$work/config" az role assignment create --assignee-object-id "$SHELL_OBJECT" \
    --assignee-principal-type ServicePrincipal --role Reader --scope "/subscriptions/$SUB" >/dev/null
(
    unset IDENTITY_ENDPOINT IMDS_ENDPOINT
    export AZURE_CONFIG_DIR="$work/shell" ACC_CLOUD=PROD AZUREPS_HOST_ENVIRONMENT=cloud-shell/1.0
    az login --identity >"$work/shell.json"
    expect "a user, as az sees it" "$(jq -r '.[0].user | "\(.type) \(.cloudShellID)"' "$work/shell.json")" "user true"
    expect "the machine's own token" "$(az account get-access-token --query accessToken -o tsv | cut -d. -f2 | tr '_-' '/+' |
        base64 -d 2>/dev/null | jq -r .oid)" "$SHELL_OBJECT"
    expect "group exists" "$(az group exists -n $RG)" true
)
