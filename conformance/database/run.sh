#!/bin/sh
# The database gateway before a real PostgreSQL, by unmodified clients in `countersign run`: step 18 of the lab with psql,
# drivers of five languages, pgbench, COPY, cancelling, replication, and what must not work.
# Needs: PG_FOLDER and PG_PORT (a PostgreSQL that trusts the gateway), CONFORMANCE_CLIENTS, PG_GO and PG_JAVA (compiled
# clients), COUNTERSIGN and CSAGENT (the programs), PG_CERTIFICATES (a folder for what direct.sh logs in with).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
agent=''
trap '[ -z "$agent" ] || kill "$agent" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
export PYTHONDONTWRITEBYTECODE=1

step() { printf '\n== %s\n' "$*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
# expect WHAT FOUND WANTED
expect() { [ "$2" = "$3" ] || fail "$1: found '$2' instead of '$3'"; echo "$1: $2"; }
# refused WHAT PATTERN COMMAND …
refused() {
    what=$1 pattern=$2
    shift 2
    if "$@" >out.txt 2>&1; then fail "$what: it worked"; fi
    grep -q "$pattern" out.txt || fail "$what: $(cat out.txt)"
    echo "$what: $(grep "$pattern" out.txt | head -n 1)"
}

# Until a query of the machine's sleeps on the server.
until_asleep() {
    until [ "$(super -d lab -Atc "SELECT count(*) FROM pg_stat_activity WHERE usename = 'lab-machine' AND wait_event = 'PgSleep'")" = 1 ]; do :; done
}

step "preparation"
python3 "$here/prepare.py" >prepared.sh
. ./prepared.sh
super() { psql -X -q -v ON_ERROR_STOP=1 -h "$PG_FOLDER" -p "$PG_PORT" -U countersign "$@"; }
super -d postgres <"$here/roles.sql"
super -d postgres -c "SELECT pg_reload_conf()" >/dev/null
# The certificates' authority counts once the server has read it.
until [ "$(super -d postgres -Atc "SELECT pg_conf_load_time() > now() - interval '1 hour'")" = t ]; do :; done

step "18, without the gateway: an agent that fetches client certificates and keeps them fresh"
"$CSAGENT" connect --data "$work/agent" --site "$SITE" --ca-file "$CA" -g countersign -n db-client \
    -i "$OPERATOR" --service-principal-secret-file "$OPERATOR_SECRET" 2>/dev/null
certificate() { "$CSAGENT" database certificate "$@" --data "$work/agent" --server "$SERVER"; }
refused "no rule, no certificate" "does not have authorization" certificate lab-machine --directory "$work/kept"
CLIENT=$("$CSAGENT" show --data "$work/agent" -j resourceId | jq -r .resourceId)
CLIENT=$(curl -s -f --cacert "$CA" -H "Authorization: Bearer $MANAGEMENT_TOKEN" "$MANAGEMENT$CLIENT?api-version=2024-07-31-preview" | jq -r .identity.principalId)
curl -s -f -o /dev/null --cacert "$CA" -X PUT -H "Authorization: Bearer $MANAGEMENT_TOKEN" -H 'Content-Type: application/json' \
    -d '{"properties":{"principalName":"lab-machine","principalType":"ServicePrincipal"}}' "$MANAGEMENT$SERVER/administrators/$CLIENT?api-version=2024-08-01"
refused "nor another's role" "does not have authorization" certificate "Data Team" --directory "$work/kept"
certificate lab-machine --directory "$PG_CERTIFICATES/lab-machine" | jq -r .notAfter
# The same of an identity that is attached to the machine.
IDENTITY="${SERVER%%/providers/*}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/db-worker"
arm() { curl -s -f --cacert "$CA" -X "$1" -H "Authorization: Bearer $MANAGEMENT_TOKEN" -H 'Content-Type: application/json' -d "$3" "$MANAGEMENT$2"; }
WORKER=$(arm PUT "$IDENTITY?api-version=2023-01-31" '{"location":"local"}')
arm PATCH "$("$CSAGENT" show --data "$work/agent" -j resourceId | jq -r .resourceId)?api-version=2024-07-31-preview" \
    "{\"identity\":{\"type\":\"SystemAssigned, UserAssigned\",\"userAssignedIdentities\":{\"$IDENTITY\":{}}}}" >/dev/null
arm PUT "$SERVER/administrators/$(echo "$WORKER" | jq -r .properties.principalId)?api-version=2024-08-01" \
    '{"properties":{"principalName":"worker","principalType":"ServicePrincipal"}}' >/dev/null
certificate worker --directory "$work/worker" --identity "$(echo "$WORKER" | jq -r .properties.clientId)" >/dev/null
expect "an attached identity's" "$(openssl x509 -noout -subject -in "$work/worker/client.crt")" "subject=CN = worker"
certificate lab-machine --directory "$work/kept" --life-seconds 60 --keep >/dev/null
"$CSAGENT" run --data "$work/agent" --himds-port 0 &
agent=$!
serial() { openssl x509 -noout -serial -in "$work/kept/client.crt" 2>/dev/null || true; }
first=$(serial)
expect "the key is its owner's alone" "$(stat -c %a "$work/kept/client.key" "$work/kept/client.crt" | tr '\n' ' ')" "600 600 "

step "18: psql with the machine's token as its password, as people type it"
token_for() {
    CHALLENGE_PATH=$(curl -s -D - -o /dev/null -H Metadata:true "http://localhost:40342/metadata/identity/oauth2/token?api-version=2020-06-01&resource=$1" | grep Www-Authenticate | cut -d "=" -f 2 | tr -d "[:cntrl:]")
    curl -s -H Metadata:true -H "Authorization: Basic $(sudo cat $CHALLENGE_PATH)" "http://localhost:40342/metadata/identity/oauth2/token?api-version=2020-06-01&resource=$1" | jq -r .access_token
}
TOKEN=$(token_for https%3A%2F%2Fossrdbms-aad.database.windows.net)
ARM_TOKEN=$(token_for https%3A%2F%2Fmanagement.azure.com)
export PGPASSWORD="$TOKEN" PGSSLMODE=verify-full PGSSLROOTCERT="$CA" PGDATABASE=lab PGUSER=lab-machine
unset PGHOST || true
for server in dbcert dbpeer; do
    host="$server.$SUFFIX"
    ask() { psql -X -At -v ON_ERROR_STOP=1 -h "$host" "$@"; }
    expect "$server: who I am" "$(ask -c 'SELECT current_user, session_user')" "lab-machine|lab-machine"
    expect "$server: no way up" "$(ask -c 'RESET ROLE' -c 'RESET SESSION AUTHORIZATION' -c 'SELECT current_user' | tail -n 1)" lab-machine
    refused "$server: SET ROLE" "permission denied" ask -c 'SET ROLE countersign'
    refused "$server: another's role" 'password authentication failed for user "Data Team"' ask -U "Data Team" -c 'SELECT 1'
    refused "$server: an unknown role" 'password authentication failed for user "countersign"' ask -U countersign -c 'SELECT 1'
    refused "$server: another resource's token" "token audience is wrong" env PGPASSWORD="$ARM_TOKEN" psql -X -h "$host" -c 'SELECT 1'
    refused "$server: a password" "password authentication failed" env PGPASSWORD=secret psql -X -h "$host" -c 'SELECT 1'
    refused "$server: in the clear" "connection requires TLS" env PGSSLMODE=disable psql -X -h "$host" -c 'SELECT 1'
    refused "$server: TLS 1.1" "SSL alert" openssl s_client -starttls postgres -tls1_1 -cipher 'DEFAULT@SECLEVEL=0' -connect "$host:5432"
    openssl s_client -starttls postgres -tls1_2 -connect "$host:5432" </dev/null 2>/dev/null | grep -q "TLSv1.2" || fail "$server: no TLS 1.2"
    refused "$server: an unknown database" 'database "nowhere" does not exist' ask -d nowhere -c 'SELECT 1'
    expect "$server: a role with a blank" "$(PGPASSWORD=$OPERATOR_TOKEN ask -U 'Data Team' -c 'SELECT current_user')" "Data Team"

    step "$server: COPY both ways"
    ask -q -c "CREATE TEMP TABLE t (a int, b text)" -c "INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, 200000) i" -c "\\copy t TO '$work/copied'"
    expect "lines" "$(wc -l <copied | tr -d ' ')" 200000
    expect "back" "$(ask -q -c "CREATE TEMP TABLE t (a int, b text)" -c "\\copy t FROM '$work/copied'" -c 'SELECT sum(a), min(length(b)) FROM t')" "20000100000|100"

    step "$server: Ctrl-C"
    # psql answers the signal with a cancel request on a connection of its own, in the clear.
    psql -X -At -h "$host" -c "SELECT pg_sleep(60)" >slept.txt 2>&1 &
    sleeper=$!
    until_asleep
    kill -INT "$sleeper"
    wait "$sleeper" || true
    expect "cancelled" "$(tail -n 1 slept.txt)" "ERROR:  canceling statement due to user request"

    step "$server: pgbench"
    pgbench -i -q -s 1 -h "$host" lab 2>&1 | tail -n 1
    pgbench -h "$host" -c 8 -j 2 -t 200 -M prepared lab | grep "number of failed transactions: 0"
done

step "replication where the server allows it, and nowhere else"
psql -X "host=dbcert.$SUFFIX replication=database" -c "IDENTIFY_SYSTEM" | grep -q systemid || fail "no replication"
# Logical replication, streamed while changes happen.
stream="host=dbcert.$SUFFIX dbname=lab user=lab-machine"
pg_recvlogical -d "$stream" --slot streamed --create-slot --plugin test_decoding
pg_recvlogical -d "$stream" --slot streamed --start --status-interval 1 -f "$work/streamed" &
receiver=$!
super -d lab -c "CREATE TABLE streamed (n int)" -c "INSERT INTO streamed SELECT generate_series(1, 5000)"
tries=0
until grep -q "n\[integer\]:5000" "$work/streamed" 2>/dev/null; do tries=$((tries + 1)); [ "$tries" -lt 200 ] || fail "nothing is streamed"; sleep 0.1; done
expect "rows streamed" "$(grep -c "table public.streamed: INSERT" "$work/streamed")" 5000
kill -INT "$receiver"
wait "$receiver" || true
pg_recvlogical -d "$stream" --slot streamed --drop-slot
refused "dbpeer" "replication connections are not allowed" psql -X "host=dbpeer.$SUFFIX replication=database" -c "IDENTIFY_SYSTEM"

step "an address instead of a name, with two servers, means none"
refused "no name" "password authentication failed" psql -X "hostaddr=127.0.0.1 host=127.0.0.1 sslmode=require" -c 'SELECT 1'

step "a revoked rule ends the session within a second"
psql -X -At -h "dbcert.$SUFFIX" -c "SELECT pg_sleep(60)" >revoked.txt 2>&1 &
sleeper=$!
until_asleep
curl -s -f --cacert "$CA" -X DELETE -H "Authorization: Bearer $MANAGEMENT_TOKEN" "$MANAGEMENT$MACHINE_RULE?api-version=2024-08-01"
began=$(date +%s%N)
if wait "$sleeper"; then fail "it was not ended"; fi
took=$((($(date +%s%N) - began) / 1000000))
grep -q "terminating connection due to administrator command" revoked.txt || fail "$(cat revoked.txt)"
[ "$took" -le 1000 ] || fail "it took $took ms"
echo "ended after $took ms"
refused "and it cannot come back" "password authentication failed" psql -X -h "dbcert.$SUFFIX" -c 'SELECT 1'

step "the operator makes and drops roles, whatever they are called"
ODD="O'Brien \"x\"; DROP ROLE direct; --"
"$COUNTERSIGN" database setup --server dbcert --admin "Data Team" | super -d postgres >/dev/null
"$COUNTERSIGN" database principal create "$ODD" --server dbcert --object-id "$MACHINE"
expect "it logs in" "$(psql -X -At -h "dbcert.$SUFFIX" -U "$ODD" -c 'SELECT current_user')" "$ODD"
expect "it is listed" "$("$COUNTERSIGN" database principal list --server dbcert --output json | jq -r --arg o "$MACHINE" '.[] | select(.objectId == $o) | .role')" "$ODD"
refused "it makes no others" "permission denied" psql -X -h "dbcert.$SUFFIX" -U "$ODD" -d postgres -c "SELECT countersign.create_principal('x', true)"
refused "nobody takes a superuser" "not one of the gateway" "$COUNTERSIGN" database principal drop countersign --server dbcert
refused "nor cuts a name" "1 to 63 bytes" "$COUNTERSIGN" database principal create "$(printf '%064d' 0)" --server dbcert --object-id "$MACHINE"
"$COUNTERSIGN" database principal drop "$ODD" --server dbcert
expect "it is gone, and nothing else" "$(super -d postgres -Atc "SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles WHERE rolname LIKE 'O%' OR rolname = 'direct'")" direct
refused "and logs in no more" "password authentication failed" psql -X -h "dbcert.$SUFFIX" -U "$ODD" -c 'SELECT 1'

step "Azure's functions, as deployment scripts call them"
as_admin() { PGPASSWORD=$OPERATOR_TOKEN psql -X -At -v ON_ERROR_STOP=1 -h "dbcert.$SUFFIX" -U "Data Team" -d postgres -c "$1"; }
sync() { "$COUNTERSIGN" database principal sync --server dbcert "$@"; }
expect "made" "$(as_admin "SELECT * FROM pgaadauth_create_principal_with_oid('scripted', '$MACHINE', 'service', false, false)")" 'Created role for "scripted"'
refused "once" 'role "scripted" already exists' as_admin "SELECT pg_catalog.pgaadauth_create_principal_with_oid('scripted', '$MACHINE', 'service', false, false)"
TENANT=$(jq -r .tenant_id "$COUNTERSIGN_READY_FILE")
expect "listed" "$(as_admin "SELECT rolname, principalType, objectId, tenantId, isMfa, isAdmin FROM pg_catalog.pgaadauth_list_principals(false)")" "scripted|service|$MACHINE|$TENANT|0|0"
expect "no admin" "$(as_admin "SELECT count(*) FROM pgaadauth_list_principals(true)")" 0
refused "not before the site knows" "password authentication failed" psql -X -h "dbcert.$SUFFIX" -U scripted -c 'SELECT 1'
sync
expect "then it logs in" "$(psql -X -At -h "dbcert.$SUFFIX" -U scripted -c 'SELECT current_user')" scripted
refused "it calls none of them" "permission denied for function" psql -X -h "dbcert.$SUFFIX" -U scripted -d postgres -c "SELECT * FROM pgaadauth_list_principals(false)"
refused "no second factor is pretended" "isMfa must be false" as_admin "SELECT pgaadauth_create_principal('x', false, true)"
refused "a role of others is not handed over" "not one of the gateway" as_admin "SELECT pgaadauth_update_principal_with_oid('direct', '$MACHINE', 'service', false, false)"
# By its name alone: the directory knows whose it is.
expect "by name" "$(as_admin "SELECT pgaadauth_create_principal('db-worker', false, false)")" 'Created role for "db-worker"'
sync
expect "it is found" "$(as_admin "SELECT principaltype, objectid FROM pgaadauth_list_principals(false) WHERE rolname = 'db-worker'")" "service|$(echo "$WORKER" | jq -r .properties.principalId)"
as_admin 'SELECT countersign.drop_principal($$scripted$$)' >/dev/null
sync
refused "dropped" "password authentication failed" psql -X -h "dbcert.$SUFFIX" -U scripted -c 'SELECT 1'

step "drivers"
export PGHOST="dbpeer.$SUFFIX"
"$CONFORMANCE_CLIENTS/pgpython/bin/python" "$here/drivers.py"
NODE_PATH="$CONFORMANCE_CLIENTS/pgnode/node_modules" node "$here/drivers.cjs"
"$PG_GO"
java -cp "$PG_JAVA/classes:$PG_JAVA/lib/*" Main

step "the agent has renewed its certificate, and stops when told to"
tries=0
until now=$(serial) && [ -n "$now" ] && [ "$now" != "$first" ]; do tries=$((tries + 1)); [ "$tries" -lt 400 ] || fail "it was not renewed"; sleep 0.1; done
"$CSAGENT" database forget lab-machine --data "$work/agent" --server "$SERVER"
[ ! -e "$work/kept" ] || fail "its files are still there"
printf '\ndatabase: all as it should be\n'
