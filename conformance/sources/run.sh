#!/bin/sh
# Sources beside HIMDS: one agent serves a host, a namespace without a container engine, a service and a job, each with an
# identity of its own. Run by `countersign run`; $CSAGENT names the program. docs/machine.md shows the same steps.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${CONFORMANCE_CLIENTS:-$here/../../target/conformance}/python/bin/python
work=$(mktemp -d)
agent='' inside=''
end() {
    for process in $inside $agent; do kill "$process" 2>/dev/null || true; done
    rm -rf "$work"
}
trap end EXIT
fail() { echo "FAILED: $1" >&2; exit 1; }
expect() { [ "$2" = "$3" ] || fail "$1: found '$2' instead of '$3'"; echo "ok      $1"; }
ready() { jq -r "$1" "$COUNTERSIGN_READY_FILE"; }
# until_file FILE PROCESS: waits for a file that a process writes when it is ready.
until_file() {
    tries=0
    until [ -f "$1" ]; do
        kill -0 "$2" 2>/dev/null || fail "the process that should write $1 has ended"
        tries=$((tries + 1)); [ "$tries" -lt 150 ] || fail "$1 is not there"; sleep 0.1
    done
}

python3 "$here/../prepare.py" >"$work/prepared.json"
export COUNTERSIGN_PREPARED="$work/prepared.json"
site() { jq -er ".$1" "$work/prepared.json"; }
data=$work/agent manager=$(ready .resource_manager)
"$CSAGENT" connect --data "$data" --site "$manager" --ca-file "$(ready .ca_file)" -g conformance -n sources \
    -i "$(ready .operator.client_id)" --service-principal-secret-file "$(ready .operator.client_secret_file)"
eval "$(python3 "$here/prepare.py" "$data/agentconfig.json")"

cat >"$data/sources.json" <<END
{"sources": [
  {"name": "web", "kind": "app-service", "listen": "127.0.0.1:0", "identity": "$(site identity_client_id)",
   "environment_file": "$work/web.env", "group": "$(id -gn)"},
  {"name": "shell", "kind": "cloud-shell", "listen": "127.0.0.1:0", "identity": "system", "environment_file": "$work/shell.env"},
  {"name": "pod", "kind": "imds", "socket": "$work/pod.sock", "identity": "$(site identity_resource_id)"},
  {"name": "all", "kind": "imds", "listen": "127.0.0.1:0"},
  {"name": "job", "kind": "workload-identity", "client_id": "$JOB", "token_file": "$work/job.token", "environment_file": "$work/job.env"}
]}
END
serve() {
    rm -f "$work/ready.json"
    "$CSAGENT" run --data "$data" --himds-port 0 --ready-file "$work/ready.json" &
    agent=$!
    until_file "$work/ready.json" "$agent"
}
serve
at() { jq -r ".sources.$1" "$work/ready.json"; }
whose() { jq -r '.client_id // .error_description // .message // .error.message'; }
imds() { curl -s -H Metadata:true "$1/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net${2-}"; }
OWN=$(jq -r .client_id "$data/agentconfig.json") IDENTITY=$(site identity_client_id)

# App Service: a service of this host, by its environment file alone.
expect "web.env is for its group" "$(stat -c %a "$work/web.env")" 640
service() { env -u IMDS_ENDPOINT -u IDENTITY_ENDPOINT $(cat "$work/web.env") "$@"; }
expect "app service gives the one identity" \
    "$(service sh -c 'curl -s -H "X-IDENTITY-HEADER: $IDENTITY_HEADER" "$IDENTITY_ENDPOINT?api-version=2019-08-01&resource=https://vault.azure.net"' | whose)" "$IDENTITY"
expect "and no other" "$(service sh -c "curl -s -H \"X-IDENTITY-HEADER: \$IDENTITY_HEADER\" \"\$IDENTITY_ENDPOINT?api-version=2019-08-01&resource=https://vault.azure.net&client_id=$OWN\"" | whose)" "Identity not found"
expect "to nobody without the header" "$(curl -s -o /dev/null -w '%{http_code}' "$(at web)/msi/token?api-version=2019-08-01&resource=x")" 401
expect "azure-identity takes it" "$(service "$python" "$here/whose.py" managed)" "$(site identity_object_id)"
# The protocol of 2017, which azure-identity still speaks where it takes the two variables for Azure ML's.
older() {
    service sh -c 'MSI_ENDPOINT=$IDENTITY_ENDPOINT MSI_SECRET=$IDENTITY_HEADER exec env -u IDENTITY_ENDPOINT -u IDENTITY_HEADER "$@"' sh "$@"
}
expect "by its names of 2017 too" "$(older "$python" "$here/whose.py" managed)" "$(site identity_object_id)"
expect "with the identity that is asked for" "$(older "$python" "$here/whose.py" managed "$IDENTITY")" "$(site identity_object_id)"
expect "and no other" "$(older "$python" "$here/whose.py" managed "$OWN" 2>&1 | grep -o 'Identity not found' | head -n 1)" "Identity not found"

# Cloud Shell: a form.
. "$work/shell.env"
expect "cloud shell gives the machine's own" "$(curl -s -H Metadata:true -d resource=https://vault.azure.net "$MSI_ENDPOINT" | whose)" "$OWN"
expect "a05: a page's form gets nothing" "$(curl -s -d resource=https://vault.azure.net -H 'Origin: http://x' "$MSI_ENDPOINT" | jq -r .error.code)" invalid_request
expect "azure-identity takes it too" "$(env -u IMDS_ENDPOINT -u IDENTITY_ENDPOINT MSI_ENDPOINT="$MSI_ENDPOINT" "$python" "$here/whose.py" managed)" \
    "$(jq -r .principal_id "$data/agentconfig.json")"

# A namespace without a container engine: a network of its own, no file of Arc's agent, the socket through the file system, IMDS where clients look.
expect "the socket is for its group" "$(stat -c %a "$work/pod.sock")" 660
unshare -Urnm sh -c 'mount -t tmpfs none /opt/azcmagent && ip link set lo up && ip addr add 169.254.169.254/32 dev lo && echo $$ >"$1.new" && mv "$1.new" "$1" && exec "$2" forward \
    --listen 169.254.169.254:80 --to "$3" --ready-file "$4"' sh "$work/pod.pid" "$CSAGENT" "$work/pod.sock" "$work/pod.ready" &
inside=$!
until_file "$work/pod.ready" "$inside"
pod() { nsenter -t "$(cat "$work/pod.pid")" -U -n -m --preserve-credentials "$@"; }
expect "the namespace reaches nothing else" "$(pod sh -c 'ip -br addr | wc -l; curl -s -o /dev/null --max-time 2 http://127.0.0.1:40342/ || echo refused' | tr '\n' ' ')" "1 refused "
expect "IMDS inside gives the namespace's identity" \
    "$(pod curl -s -H Metadata:true 'http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net' | whose)" "$IDENTITY"
expect "and not its neighbours'" \
    "$(pod curl -s -H Metadata:true "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net&client_id=$OWN" | whose)" "Identity not found"
expect "a client inside needs no variable" "$(pod env -u IMDS_ENDPOINT -u IDENTITY_ENDPOINT "$python" "$here/whose.py" managed)" \
    "$(site identity_object_id)"
expect "a listener without an identity of its own gives all" "$(imds "$(at all)" | whose) $(imds "$(at all)" "&client_id=$IDENTITY" | whose)" "$OWN $IDENTITY"

# Workload identity: a file, shown to the authority as whoever trusts this machine.
expect "the token file is for its group" "$(stat -c %a "$work/job.token")" 640
job() { env -u IMDS_ENDPOINT -u IDENTITY_ENDPOINT $(cat "$work/job.env") "$@"; }
expect "the token is for the exchange" "$(cut -d. -f2 "$work/job.token" | tr '_-' '/+' | base64 -d 2>/dev/null | jq -r .aud)" api://AzureADTokenExchange
expect "WorkloadIdentityCredential is who trusts the machine" "$(job "$python" "$here/whose.py" workload)" "$JOB_OBJECT"
expect "its asynchronous twin as well" "$(job "$python" "$here/whose.py" workload-aio)" "$JOB_OBJECT"
expect "and so is a plain form" "$(job sh -c 'curl -s --cacert "$REQUESTS_CA_BUNDLE" "$AZURE_AUTHORITY_HOST$AZURE_TENANT_ID/oauth2/v2.0/token" -d grant_type=client_credentials \
    -d client_id=$AZURE_CLIENT_ID -d client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer \
    --data-urlencode "client_assertion=$(cat "$AZURE_FEDERATED_TOKEN_FILE")" -d scope=https://vault.azure.net/.default' | jq -r .token_type)" Bearer

# A restart changes nothing for those who have read their files.
secret=$(sed -n 's/^IDENTITY_HEADER=//p' "$work/web.env")
kill "$agent"; wait "$agent" || fail "the agent did not end cleanly"
serve
expect "the secret outlives a restart" "$(sed -n 's/^IDENTITY_HEADER=//p' "$work/web.env")" "$secret"
expect "the namespace goes on" \
    "$(pod curl -s -H Metadata:true 'http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net' | whose)" "$IDENTITY"

# What was misspelt opens nothing.
jq '.sources[0].listen = "0.0.0.0:0"' "$data/sources.json" >"$work/open.json"
code=0; "$CSAGENT" run --data "$data" --himds-port 0 --sources "$work/open.json" 2>"$work/said" || code=$?
expect "plain HTTP stays on this host" "$code $(grep -c 'in the clear' "$work/said")" "2 1"

# Taken off the machine, an identity is refused within a second; disconnected, the machine's token stands for nobody.
detach() { python3 "$here/prepare.py" "$data/agentconfig.json" detach; }
detach
tries=0
until [ "$(imds "$(at all)" "&client_id=$IDENTITY" | whose)" = "Identity not found" ]; do
    tries=$((tries + 1)); [ "$tries" -lt 80 ] || fail "a detached identity is still served"; sleep 0.1
done
expect "a detached identity is gone from its namespace" \
    "$(pod curl -s -H Metadata:true 'http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net' | whose)" "Identity not found"
"$CSAGENT" disconnect --data "$data" -i "$(ready .operator.client_id)" --service-principal-secret-file "$(ready .operator.client_secret_file)"
expect "c06: the token file of a machine that is gone stands for nobody" "$(job sh -c 'curl -s --cacert "$REQUESTS_CA_BUNDLE" "$AZURE_AUTHORITY_HOST$AZURE_TENANT_ID/oauth2/v2.0/token" -d grant_type=client_credentials \
    -d client_id=$AZURE_CLIENT_ID -d client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer \
    --data-urlencode "client_assertion=$(cat "$AZURE_FEDERATED_TOKEN_FILE")" -d scope=https://vault.azure.net/.default' | jq -r .error)" unauthorized_client
echo "sources: every step as expected"
