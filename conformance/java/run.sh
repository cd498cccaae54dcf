#!/bin/sh
# Azure SDKs for Java against the site that `countersign run` gives us, compiled outside, where libraries can be had.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
java=${CONFORMANCE_CLIENTS:-$here/../../target/conformance}/java
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 "$here/../prepare.py" >"$work/prepared.json"
export COUNTERSIGN_PREPARED="$work/prepared.json"
cases() { java -cp "$java/classes:$java/lib/*" Main "$@"; }

export CONFORMANCE_RECORD="$work/answers"
cases
python3 "$here/../fields/check.py" "$CONFORMANCE_RECORD" 50
unset IDENTITY_ENDPOINT IMDS_ENDPOINT
cases imds
