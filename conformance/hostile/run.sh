#!/bin/sh
# Bad bytes at every door of the site that `countersign run` gives us.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 "$here/../prepare.py" >"$work/prepared.json"
export COUNTERSIGN_PREPARED="$work/prepared.json"
python3 "$here/hostile.py"
