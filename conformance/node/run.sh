#!/bin/sh
# Azure SDKs for Node.js against the site that `countersign run` gives us. Each case file is its own process: the source
# of managed identity is kept for the life of a process.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
export NODE_PATH="${CONFORMANCE_CLIENTS:-$here/../../target/conformance}/node/node_modules"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 "$here/../prepare.py" >"$work/prepared.json"
export COUNTERSIGN_PREPARED="$work/prepared.json" CONFORMANCE_RECORD="$work/answers"

passed=0 failed=0
for file in "$here"/cases/*.cjs; do
    if node --require "$here/../fields/observe/observe.cjs" "$file"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
python3 "$here/../fields/check.py" "$CONFORMANCE_RECORD" 95
