#!/bin/sh
# Azure SDKs for Python against the site that `countersign run` gives us. Each case file is its own process: what an SDK
# learns about its surroundings (which metadata source, which authority) it keeps for the life of the process.
#     run.sh [CASE …]     all cases, or the named ones
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${CONFORMANCE_CLIENTS:-$here/../../target/conformance}/python/bin/python
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 "$here/../prepare.py" >"$work/prepared.json"
export COUNTERSIGN_PREPARED="$work/prepared.json" PYTHONPATH="$here:$here/../fields/observe" PYTHONDONTWRITEBYTECODE=1
export CONFORMANCE_RECORD="$work/answers"

all=$#

passed=0 failed=0
[ $# -gt 0 ] || set -- $(cd "$here/cases" && ls | sed -n 's/\.py$//p')
for name in "$@"; do
    if "$python" "$here/cases/$name.py"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
# Fields of what the management SDKs were answered; a single case meets only some operations.
[ "$all" -gt 0 ] || python3 "$here/../fields/check.py" "$CONFORMANCE_RECORD" 100
