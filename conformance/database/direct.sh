#!/bin/sh
# Step 18 of the lab without the gateway: psql against PostgreSQL itself, with the files that csagent wrote.
#     direct.sh FOLDER        PG_PORT is PostgreSQL's port on 127.0.0.1
set -eu
folder=$1
fail() { echo "FAILED: $*" >&2; exit 1; }
expect() { [ "$2" = "$3" ] || fail "$1: found '$2' instead of '$3'"; echo "$1: $2"; }
refused() {
    what=$1 pattern=$2
    shift 2
    if said=$("$@" 2>&1); then fail "$what: it worked"; fi
    echo "$said" | grep -q "$pattern" || fail "$what: $said"
    echo "$what: $(echo "$said" | grep "$pattern" | head -n 1)"
}
unset PGHOST PGUSER PGPASSWORD PGSSLMODE PGSSLROOTCERT PGDATABASE || true
export PGSERVICEFILE="$folder/service.conf"
ask() { psql -X -At -v ON_ERROR_STOP=1 "service=dbcert dbname=lab $1" -c "$2"; }

expect "who I am" "$(ask '' 'SELECT current_user, session_user, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')" "lab-machine|lab-machine|t"
expect "by the certificate" "$(ask '' 'SELECT client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()')" "/CN=lab-machine"
refused "SET ROLE" "permission denied" ask '' 'SET ROLE countersign'
refused "another's role" 'certificate authentication failed for user "Data Team"' ask "user='Data Team'" 'SELECT 1'
refused "a superuser" "no pg_hba.conf entry" ask 'user=countersign' 'SELECT 1'
refused "no certificate" "valid client certificate" ask 'sslcert=/nowhere' 'SELECT 1'
# Of another authority, for the same role: self-signed.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$folder/other.key" -out "$folder/other.crt" \
    -subj /CN=lab-machine -days 1 2>/dev/null
refused "another authority's" "unknown ca" ask "sslcert=$folder/other.crt sslkey=$folder/other.key" 'SELECT 1'
printf '\ndirect: all as it should be\n'
