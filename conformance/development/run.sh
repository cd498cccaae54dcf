#!/bin/sh
# Programs written against the storage emulator: unmodified SDKs with its account and published key, over plain HTTP, at
# the address that `countersign up --development-storage` serves.
#     run.sh PROGRAM DATA
set -eu
here=$(cd "$(dirname "$0")" && pwd)
clients=${CONFORMANCE_CLIENTS:-$here/../../target/conformance}
ready="$2/ready.json"
"$1" up --data "$2/site" --https-port 0 --listen 127.0.0.1 --no-machine --development-storage=0 --quiet --ready-file "$ready" &
site=$!
trap 'kill "$site"; wait "$site"' EXIT
tries=0
until [ -e "$ready" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || { echo "the site does not get ready"; exit 1; }
    kill -0 "$site"
    sleep 0.1
done
endpoint=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["development_storage"])' "$ready")
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$here/../python" COUNTERSIGN_PREPARED="$ready" "$clients/python/bin/python" "$here/storage.py" "$endpoint"
NODE_PATH="$clients/node/node_modules" node "$here/storage.cjs" "$endpoint"
