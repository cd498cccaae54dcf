# How long each client keeps a token, and how long it looks for an identity where there is none: two lines of results a
# client. Read by run.sh. The site's tokens live for a day; the client's clock is moved by libfaketime, and a relay before
# the source counts what it asks.
export HOURS="0 0 11 13 23.95" CLOCK="$work/clock"
# Programs may have many threads.
faketime=$(find /usr/lib -name libfaketimeMT.so.1 | head -n 1)
[ -n "$faketime" ] || fail "libfaketime is not installed"

# relay NAME TARGET: sets relay and COUNT.
relay() {
    COUNT="$work/$1.count"
    python3 "$here/relay.py" "$2" "$COUNT" "$work/$1.address" &
    relays="$relays $!"
    until_file "$work/$1.address"
    relay=$(cat "$work/$1.address")
    export COUNT
}
# later COMMAND…: under a clock that CLOCK moves. Timers of JVM and Node run on the other clock, which stays as it is.
later() {
    env LD_PRELOAD="$faketime" FAKETIME_TIMESTAMP_FILE="$CLOCK" FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC="${KEEP-1}" "$@"
}
# nowhere COMMAND…: a network of its own with nobody in it, and no file of an agent.
nowhere() {
    unshare -Urnm sh -c 'ip link set lo up && mount -t tmpfs none /opt/azcmagent && exec "$@"' sh \
        env -u IDENTITY_ENDPOINT -u IMDS_ENDPOINT "$@"
}

# away NAME COMMAND…: the same where the variables say that HIMDS is there. Clients wait and try again: all at once.
aways=''
away() {
    name=$1
    shift
    nowhere env IMDS_ENDPOINT=http://localhost:40342 \
        IDENTITY_ENDPOINT=http://localhost:40342/metadata/identity/oauth2/token "$@" >"$work/away.$name" &
    aways="$aways $!"
}
away python "$python" "$here/patience.py" away
away node node "$here/patience.cjs" away @azure/identity
away msal-node node "$here/patience.cjs" away @azure/msal-node
away az "$clients/azcli/bin/python" "$here/patience_az.py" away
away azure_identity "$clients/rust/cases" patience away azure_identity
away object_store "$clients/rust/cases" patience away object_store
if [ -d "$clients/java/classes" ]; then
    for client in azure-identity msal4j; do
        away "$client" java -cp "$clients/java/classes:$clients/java/lib/*" Main patience away "$client"
    done
fi
if [ -x "$clients/go/cases" ]; then
    : >"$work/away.of-go"
    away go env MATRIX_PATIENCE=away MATRIX_RESULTS="$work/away.of-go" "$clients/go/cases" -test.run '^TestPatience$'
fi

echo +0 >"$CLOCK"
relay himds "$himds"
(
    export IMDS_ENDPOINT="$relay" IDENTITY_ENDPOINT="$relay/metadata/identity/oauth2/token"
    later "$python" "$here/patience.py" again
    for client in @azure/identity @azure/msal-node; do later node "$here/patience.cjs" again "$client"; done
    later "$clients/rust/cases" patience again azure_identity
    if [ -d "$clients/java/classes" ]; then
        for client in azure-identity msal4j; do
            later java -cp "$clients/java/classes:$clients/java/lib/*" Main patience again "$client"
        done
    fi
    if [ -x "$clients/go/cases" ]; then
        MATRIX_PATIENCE=again MATRIX_RESULTS="$work/results" "$clients/go/cases" -test.run '^TestPatience$' >&2
    fi
    # Each command of az is a process of its own.
    "$az" login --identity --allow-no-subscriptions >"$work/az.log"
    for hour in $HOURS; do
        echo "+${hour}h" >"$CLOCK"
        before=$(cat "$COUNT")
        later "$az" account get-access-token >"$work/az.log"
        echo $(($(cat "$COUNT") - before))
    done >"$work/az.counts"
    printf 'az CLI\tagain\t%s\n' "$(tr '\n' ' ' <"$work/az.counts" | sed 's/ $//')"
) >>"$work/results"
# object_store has no way to HIMDS, and counts its token's life by the clock that timers run on.
echo +0 >"$CLOCK"
service=$(sed -n 's/^IDENTITY_ENDPOINT=//p' "$work/app-service.env")
relay service "$service"
env IDENTITY_HEADER="$(sed -n 's/^IDENTITY_HEADER=//p' "$work/app-service.env")" IDENTITY_ENDPOINT="$relay/${service#*://*/}" \
    sh -c 'unset IMDS_ENDPOINT && exec "$@"' sh \
    env LD_PRELOAD="$faketime" FAKETIME_TIMESTAMP_FILE="$CLOCK" FAKETIME_NO_CACHE=1 \
    "$clients/rust/cases" patience again object_store >>"$work/results"

nowhere "$python" "$here/patience.py" nothing >>"$work/results"
for client in @azure/identity @azure/msal-node; do nowhere node "$here/patience.cjs" nothing "$client" >>"$work/results"; done
nowhere "$clients/azcli/bin/python" "$here/patience_az.py" nothing >>"$work/results"
for client in azure_identity object_store; do
    nowhere "$clients/rust/cases" patience nothing "$client" >>"$work/results"
done
if [ -d "$clients/java/classes" ]; then
    for client in azure-identity msal4j; do
        nowhere java -cp "$clients/java/classes:$clients/java/lib/*" Main patience nothing "$client" >>"$work/results"
    done
fi
if [ -x "$clients/go/cases" ]; then
    nowhere env MATRIX_PATIENCE=nothing MATRIX_RESULTS="$work/results" "$clients/go/cases" -test.run '^TestPatience$' >&2
fi
for process in $aways; do wait "$process" || fail "a client that should say that HIMDS is away"; done
rm -f "$work/away.go"
cat "$work"/away.* >>"$work/results"
