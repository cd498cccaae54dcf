# Sourced by run.sh: the site becomes the twin of itself, by lists as az prints them. Not a script of its own.
say "a second site, made of az's own lists"
sign_in by-lists
az login --service-principal -u "$APP" -p "$(cat "$SECRET_FILE")" --tenant "$TENANT" >/dev/null
lists="$work/lists" twin="$work/twin"
mkdir "$lists"
countersign="$(dirname "$CSAGENT")/countersign"
az account list -o json >"$lists/accounts.json"
az group list -o json >"$lists/groups.json"
az identity list -o json >"$lists/identities.json"
az resource list -o json >"$lists/resources.json"
az role definition list --custom-role-only true -o json >"$lists/definitions.json"
az role assignment list --all -o json >"$lists/assignments.json"
# The command az itself has for machines is an extension; this is what it reads.
az rest --url "/subscriptions/$SUB/providers/Microsoft.HybridCompute/machines?api-version=2024-07-10" >"$lists/machines.json"
imported() { "$countersign" import --data "$twin" --output json "$@" "$lists"/*.json; }
imported --dry-run >"$work/dry.json"
[ ! -e "$twin" ] || fail "a dry run made a site"
imported >"$work/imported.json"
expect "as the dry run said" "$(jq -c '[.items[] | [.kind, .id, .outcome]]' "$work/dry.json")" \
    "$(jq -c '[.items[] | [.kind, .id, .outcome]]' "$work/imported.json")"
expect "nothing skipped without a reason" "$(jq '[.items[] | select(.outcome == "skipped" and (.why // "") == "")] | length' "$work/imported.json")" 0
expect "every group came" "$(jq '[.items[] | select(.kind == "group" and .outcome == "made")] | length' "$work/imported.json")" \
    "$(jq length "$lists/groups.json")"
imported >"$work/again.json"
expect "and comes once" "$(jq '[.items[] | select(.outcome == "made")] | length' "$work/again.json")" 0
"$countersign" export --data "$twin" "$work/exported" >/dev/null
for list in groups identities; do
    expect "$list as az printed them" "$(jq -cS '[.[] | {id, location, tags: (.tags // {}), principalId, clientId}] | sort_by(.id)' "$lists/$list.json")" \
        "$(jq -cS --arg s "$SUB" '[.[] | select(.id | contains($s)) | {id, location, tags, principalId, clientId}] | sort_by(.id)' "$work/exported/$list.json")"
done
grants() { jq -c --arg s "$SUB" '[.[] | select(.scope | startswith("/subscriptions/" + $s)) | [.name, .principalId, .roleDefinitionId, .scope]] | sort' "$1"; }
made() { jq -c '[.items[] | select(.kind == "assignment" and .outcome == "made") | .id | split("/") | last]' "$work/imported.json"; }
expect "the same grants" "$(grants "$lists/assignments.json" | jq -c --argjson made "$(made)" '[.[] | select(.[0] | IN($made[]))]')" \
    "$(grants "$work/exported/assignments.json")"
