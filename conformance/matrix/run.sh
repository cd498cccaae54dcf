#!/bin/sh
# Every client with every source of a machine's identity, by every kind of id, with no setting but the source's variables;
# the table in docs/compatibility.md must say what is found. IMDS is that of the site's own host, and is there whatever the
# source; the others are csagent's, so that a token shows which of them it came from. Run by `countersign run`.
#     MATRIX_WRITE=1 writes the table instead
set -eu
here=$(cd "$(dirname "$0")" && pwd)
clients=${CONFORMANCE_CLIENTS:-$here/../../target/conformance}
python=$clients/python/bin/python
export NODE_PATH="$clients/node/node_modules" PYTHONDONTWRITEBYTECODE=1
work=$(mktemp -d)
agent='' relays='' lane=''
# The lane writes below $work until it has ended.
trap 'for process in $agent $relays $lane; do kill "$process" 2>/dev/null || true; done; [ -z "$lane" ] || wait "$lane" 2>/dev/null || true; rm -rf "$work"' EXIT
fail() { echo "FAILED: $1" >&2; exit 1; }
ready() { jq -r "$1" "$COUNTERSIGN_READY_FILE"; }
python3 "$here/../prepare.py" >"$work/prepared.json"
export COUNTERSIGN_PREPARED="$work/prepared.json"
site() { jq -er ".$1" "$work/prepared.json"; }

data=$work/agent
"$CSAGENT" connect --data "$data" --site "$(ready .resource_manager)" --ca-file "$(ready .ca_file)" -g conformance -n matrix \
    -i "$(ready .operator.client_id)" --service-principal-secret-file "$(ready .operator.client_secret_file)"
eval "$(python3 "$here/../sources/prepare.py" "$data/agentconfig.json")"
cat >"$data/sources.json" <<END
{"sources": [
  {"name": "web", "kind": "app-service", "listen": "127.0.0.1:0", "environment_file": "$work/app-service.env"},
  {"name": "file", "kind": "himds", "socket": "$work/himds.sock"},
  {"name": "shell", "kind": "cloud-shell", "listen": "127.0.0.1:0", "environment_file": "$work/cloud-shell.env"},
  {"name": "job", "kind": "workload-identity", "client_id": "$JOB", "token_file": "$work/job.token", "environment_file": "$work/workload.env"}
]}
END
"$CSAGENT" run --data "$data" --himds-port 0 --ready-file "$work/ready.json" &
agent=$!
until_file() { tries=0; until [ -f "$1" ]; do tries=$((tries + 1)); [ "$tries" -lt 150 ] || fail "$1 is not there"; sleep 0.1; done; }
until_file "$work/ready.json"
AGENT=$(jq -r .principal_id "$data/agentconfig.json") MACHINE=$(site machine_principal_id)
export EXPECT_IDENTITY="$(site identity_object_id)"
himds=$(jq -r .himds "$work/ready.json")
printf 'IDENTITY_ENDPOINT=%s/metadata/identity/oauth2/token\nIMDS_ENDPOINT=%s\n' "$himds" "$himds" >"$work/arc.env"
: >"$work/imds.env"

# az learns of the cloud once; nothing of a person's own settings is seen.
az=$clients/azcli/bin/az
export AZURE_CONFIG_DIR="$work/az" AZURE_CORE_COLLECT_TELEMETRY=0 AZURE_CORE_INSTANCE_DISCOVERY=false
unset ARM_CLOUD_METADATA_URL
"$az" cloud register -n countersign --endpoint-resource-manager "$(ready '.resource_manager | rtrimstr("/")')"
"$az" cloud set -n countersign

# HIMDS where clients look for it when they see its file, and nobody else: a network of its own, without IMDS.
unshare -Urnm sh -c 'ip link set lo up && echo $$ >"$1" && exec "$2" forward --listen 127.0.0.1:40342 --to "$3" --ready-file "$4"' \
    sh "$work/alone.pid" "$CSAGENT" "$work/himds.sock" "$work/alone.ready" &
relays="$relays $!"
until_file "$work/alone.ready"

# as SOURCE OWN COMMAND…: with that source's variables alone, and without the file that would win over IMDS.
as() {
    source=$1 own=$2
    shift 2
    if [ "$source" = arc-file ]; then
        nsenter -t "$(cat "$work/alone.pid")" -U -n -m --preserve-credentials \
            env -u IDENTITY_ENDPOINT -u IMDS_ENDPOINT EXPECT_OWN="$own" "$@"
    elif [ "$source" = arc ]; then
        env EXPECT_OWN="$own" $(cat "$work/$source.env") "$@"
    else
        unshare -Urm sh -c 'mount -t tmpfs none /opt/azcmagent && exec "$@"' sh \
            env -u IDENTITY_ENDPOINT -u IMDS_ENDPOINT EXPECT_OWN="$own" $(cat "$work/$source.env") "$@"
    fi
}
# all SOURCE OWN: every client with that source.
all() {
    results=$work/results.$1
    : >"$results"
    as "$1" "$2" "$python" "$here/ask.py" "$1" >>"$results"
    as "$1" "$2" node "$here/ask.cjs" "$1" >>"$results"
    # az signs in at the resource manager as well, which nobody reaches from a network of its own.
    [ "$1" = arc-file ] || as "$1" "$2" python3 "$here/ask_az.py" "$1" "$az" "$AZURE_CONFIG_DIR" >>"$results"
    as "$1" "$2" "$clients/rust/cases" matrix "$1" >>"$results"
    # Whichever of these this machine can compile.
    if [ -x "$clients/go/cases" ]; then
        as "$1" "$2" env MATRIX_SOURCE="$1" MATRIX_RESULTS="$results" "$clients/go/cases" -test.run '^TestMatrix$' -test.v >&2
    fi
    if [ -d "$clients/java/classes" ]; then
        as "$1" "$2" java -cp "$clients/java/classes:$clients/java/lib/*" Main matrix "$1" >>"$results"
    fi
}
# Two at a time: starting Python and Java is most of it.
(set -e; all arc "$AGENT"; all arc-file "$AGENT"; all imds "$MACHINE") &
lane=$!
all app-service "$AGENT"
all cloud-shell "$AGENT"
all workload "$JOB_OBJECT"
wait "$lane" || { lane=''; fail "a client of HIMDS or IMDS got another token than was due"; }
lane=''
cat "$work"/results.* >"$work/results"
# shellcheck source=patience.sh
. "$here/patience.sh"
cat "$work/results"
flag=--check; [ -z "${MATRIX_WRITE-}" ] || flag=''
python3 "$here/table.py" $flag "$work/results" "$here/../../docs/compatibility.md"
echo "matrix: as docs/compatibility.md says"
