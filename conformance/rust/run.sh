#!/bin/sh
# Rust clients against the site that `countersign run` gives us, compiled outside, where crates can be had.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cases=${CONFORMANCE_CLIENTS:-$here/../../target/conformance}/rust/cases
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 "$here/../prepare.py" >"$work/prepared.json"
export COUNTERSIGN_PREPARED="$work/prepared.json"
site() { jq -er ".$1" "$COUNTERSIGN_PREPARED"; }

"$cases" arc
# object_store takes IDENTITY_ENDPOINT for App Service and knows no challenge: it runs where the pair is not set.
unset IDENTITY_ENDPOINT IMDS_ENDPOINT
"$cases" imds
AZURE_TENANT_ID=$(site tenant_id) AZURE_CLIENT_ID=$(site operator_client_id) \
    AZURE_CLIENT_SECRET=$(site operator_client_secret) "$cases" application
