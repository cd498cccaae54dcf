#!/bin/sh
# `csagent certificates` against a vault: a PEM and a PKCS#12 secret become files behind links, renewals move the links, a
# command runs after each change and only then. Run by `countersign run`; the machine's own identity reads the vault.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
daemon=''
trap '[ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true; rm -rf "$work"' EXIT
fail() { echo "FAILED: $1" >&2; exit 1; }
expect() { [ "$2" = "$3" ] || fail "$1: found '$2' instead of '$3'"; echo "ok      $1"; }
ready() { jq -r "$1" "$COUNTERSIGN_READY_FILE"; }
python3 "$here/../prepare.py" >"$work/prepared.json"
site() { jq -er ".$1" "$work/prepared.json"; }
VAULT=$(site vault)
operator=$(curl -s "$(site authority)/$(site tenant_id)/oauth2/v2.0/token" -d grant_type=client_credentials \
    -d "client_id=$(site operator_client_id)" --data-urlencode "client_secret=$(site operator_client_secret)" \
    -d scope=https://vault.azure.net/.default | jq -er .access_token)
# put NAME CONTENT-TYPE FILE: a new version of a secret; prints the version.
put() {
    jq -Rs --arg type "$2" '{value: ., contentType: $type}' <"$3" | curl -s -X PUT -H "Authorization: Bearer $operator" \
        -H 'Content-Type: application/json' -d @- "$VAULT/secrets/$1?api-version=7.4" | jq -er '.id | split("/") | last'
}

cd "$work"
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=root -keyout root.key -out root.pem 2>/dev/null
# leaf NAME: NAME.key and NAME.pem, issued by the root.
leaf() {
    openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" 2>/dev/null
    openssl x509 -req -in "$1.csr" -CA root.pem -CAkey root.key -CAcreateserial -out "$1.pem" 2>/dev/null
}
leaf one; leaf two; leaf three
cat root.pem one.key one.pem >web.pem
FIRST=$(put web application/x-pem-file web.pem)
openssl pkcs12 -export -inkey two.key -in two.pem -certfile root.pem -passout pass: -out two.pfx
base64 -w 0 two.pfx >two.b64
PFX=$(put api application/x-pkcs12 two.b64)

cat >hook.sh <<'END'
#!/bin/sh
# Each argument on a line of its own, so that what was split would be seen.
printf '%s\n' "$@" "$CSAGENT_CERTIFICATE" "$CSAGENT_CERTIFICATE_VERSION" >>"$(dirname "$0")/changes"
[ ! -e "$(dirname "$0")/refuse" ]
END
chmod 755 hook.sh
mkdir state
store=$work/store
cat >settings.json <<END
{"secretsManagementSettings": {"pollingIntervalInS": "1", "linkOnRenewal": false, "requireInitialSync": true, "aclEnabled": true,
  "certificateStoreLocation": "$store", "observedCertificates": [
   {"url": "$VAULT/secrets/web", "customSymbolicLinkName": "site", "acls": [{"user": "nobody"}],
    "command": ["$work/hook.sh", "a word", "\$(id); *"]},
   {"url": "$VAULT/certificates/api", "mode": "0640"}]},
 "authenticationSettings": {"msiEndpoint": "http://localhost:40342/metadata/identity"},
 "loggingSettings": {"logger": "fluentd", "endpoint": "tcp://localhost:24224"}}
END
export CSAGENT_DATA="$work/state" CSAGENT_CA_FILE="$(ready .ca_file)"
certificates() { "$CSAGENT" certificates "$@" --settings "$work/settings.json"; }

certificates sync
name=$(echo "$VAULT" | sed 's,https://,,; s,\..*,,')
expect "the links" "$(readlink "$store/site") $(readlink "$store/$name.api")" "$name.web.$FIRST $name.api.$PFX"
expect "leaf, then root, the key last" "$(grep ^-----BEGIN "$store/site" | tr '\n' ' ')" \
    "-----BEGIN CERTIFICATE----- -----BEGIN CERTIFICATE----- -----BEGIN PRIVATE KEY----- "
expect "openssl reads both" "$(openssl x509 -in "$store/site" -noout -subject) $(openssl x509 -in "$store/$name.api" -noout -subject)" \
    "subject=CN = one subject=CN = two"
# same_key FILE: whether certificate and key belong together.
same_key() { [ "$(openssl x509 -in "$1" -noout -pubkey)" = "$(openssl pkey -in "$1" -pubout)" ] && echo yes; }
expect "the keys are theirs" "$(same_key "$store/site") $(same_key "$store/$name.api")" "yes yes"
expect "modes" "$(stat -c %a "$store/$name.api.$PFX") $(stat -c %a "$store/$name.web.$FIRST" | cut -c3)" "640 0"
expect "the command got its words as they stand" "$(cat changes)" "a word
\$(id); *
$store/site
$FIRST"
certificates sync
expect "nothing new, nothing done" "$(wc -l <changes)" 4

"$CSAGENT" certificates run --settings "$work/settings.json" --ready-file "$work/ready" &
daemon=$!
# until_link NAME TARGET
until_link() {
    tries=0
    until [ "$(readlink "$store/$1")" = "$2" ]; do
        kill -0 "$daemon" 2>/dev/null || fail "the daemon has ended"
        tries=$((tries + 1)); [ "$tries" -lt 200 ] || fail "$1 does not become $2"; sleep 0.05
    done
}
until_file() { tries=0; until [ -f "$1" ]; do tries=$((tries + 1)); [ "$tries" -lt 200 ] || fail "no $1"; sleep 0.05; done; }
until_file "$work/ready"
# Whoever opens the link while it moves finds a whole certificate with its key.
(while [ -e "$work/ready" ]; do [ "$(grep -c "^-----" "$store/site")" = 6 ] || touch "$work/torn"; done) &
cat three.pem root.pem three.key >web.pem
touch refuse
SECOND=$(put web application/x-pem-file web.pem)
until_link site "$name.web.$SECOND"
tries=0; until [ "$(wc -l <changes)" -ge 12 ]; do tries=$((tries + 1)); [ "$tries" -lt 200 ] || fail "a failed command is not repeated"; sleep 0.05; done
echo "ok      a renewal moves the link, and a command that failed is run again"
rm refuse
tries=0; until grep -q "$SECOND" state/certificates.json; do tries=$((tries + 1)); [ "$tries" -lt 200 ] || fail "the command does not succeed"; sleep 0.05; done
expect "the old version stays" "$(openssl x509 -in "$store/$name.web.$FIRST" -noout -subject)" "subject=CN = one"
echo "no certificate at all" >web.pem
put web text/plain web.pem >/dev/null
code=0; certificates sync 2>said || code=$?
expect "what is no certificate is said, and the link stays" "$code $(readlink "$store/site")" "1 $name.web.$SECOND"
kill "$daemon"; wait "$daemon" || fail "the daemon did not end cleanly"
daemon=''
[ ! -e "$work/torn" ] || fail "the link was seen with half a certificate"

# Killed between the link and the command: the next round runs it.
jq 'del(.[] | select(. != null))' state/certificates.json >state/new && mv state/new state/certificates.json
cat three.pem root.pem three.key >web.pem
THIRD=$(put web application/x-pem-file web.pem)
rm changes
certificates sync
expect "the command runs for what was not finished" "$(tail -n 1 changes)" "$THIRD"
jq --arg v "$(site closed_vault)" '.secretsManagementSettings.observedCertificates = [$v + "/secrets/hidden"]' settings.json >closed.json
mv closed.json settings.json
code=0; certificates sync 2>said || code=$?
expect "a vault that refuses is told as such" "$code" 5
echo "certificates: every step as expected"
