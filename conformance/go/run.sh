#!/bin/sh
# Azure SDKs for Go against the site that `countersign run` gives us. The program was compiled outside, where modules can
# be had; without cgo, as most released Go programs are, so that Go's own resolver finds the names.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cases=${CONFORMANCE_CLIENTS:-$here/../../target/conformance}/go/cases
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 "$here/../prepare.py" >"$work/prepared.json"
export COUNTERSIGN_PREPARED="$work/prepared.json"
export CONFORMANCE_RECORD="$work/answers"
"$cases" -test.v
python3 "$here/../fields/check.py" "$CONFORMANCE_RECORD" 70
