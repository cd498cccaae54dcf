#!/bin/sh
# Schemathesis: requests made from the descriptions of the API, good ones and bad ones, must never cost a 5xx, a hang or the
# site. With a fixed seed and a budget; SCHEMATHESIS_SECONDS and SCHEMATHESIS_SEED widen it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
st=${CONFORMANCE_CLIENTS:-$here/../../target/conformance}/schemathesis/bin/st
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ready() { jq -er "$1" "$COUNTERSIGN_READY_FILE"; }
python3 "$here/describe.py" "$work"
seconds=${SCHEMATHESIS_SECONDS:-60}
cd "$work"

# fuzz NAME ADDRESS SHARE FLAGS...: SHARE sixths of the budget
fuzz() {
    name=$1 address=$2 share=$3
    shift 3
    echo "== $name"
    "$st" run "$work/$name.json" --url "$address" --tls-verify "$(ready .ca_bundle_file)" --checks not_a_server_error \
        --phases coverage,fuzzing --mode all --max-time $((seconds * share / 6)) --seed "${SCHEMATHESIS_SEED:-1}" \
        --request-timeout 10 --generation-database none --suppress-health-check all --warnings off --no-color --no-shrink \
        --continue-on-failure "$@"
}
fuzz arm "$(ready '.resource_manager | rtrimstr("/")')" 4 -H "Authorization: Bearer $(cat token.arm)"
fuzz graph "$(ready '.graph | rtrimstr("/")')" 1 -H "Authorization: Bearer $(cat token.graph)"
fuzz sts "$(ready '.authority | rtrimstr("/")')" 1

# Whoever asks afterwards is served.
curl -sf --cacert "$(ready .ca_bundle_file)" -o /dev/null -H "Authorization: Bearer $(cat token.arm)" \
    "$(ready '.resource_manager | rtrimstr("/")')/subscriptions?api-version=2022-12-01"
echo "schemathesis: no request cost a 5xx"
