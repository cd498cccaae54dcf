"""Descriptions for Schemathesis, and a site that has what they speak of.

    describe.py DIR     writes DIR/arm.json, DIR/graph.json, DIR/sts.json and DIR/token.{arm,graph}

The resource manager's description is all of conformance/specs in one, with names that exist: a request about nothing is
answered by the first check, and nothing behind it is tried. What would lock everybody out (locks, deny assignments, the end
of a group) happens in groups of its own.
"""
import json
import os
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from prepare import Site  # noqa: E402 - beside us, not installed

GROUP, LOCKED, DENIED, PASSING = "fuzz", "fuzzlocked", "fuzzdenied", "fuzzpassing"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
# Whose operations happen in which group; the first pattern that fits counts.
PLACES = [(r"ManagementLocks", LOCKED), (r"DenyAssignments", DENIED), (r"ResourceGroups_|moveResources|MoveResources", PASSING)]
# Locks of the subscription would stop everything else.
LEFT_OUT = re.compile(r"ManagementLocks_.*_at_subscription_level|Resources_.*_by_id")


def main(folder):
    site = Site(os.environ["COUNTERSIGN_READY_FILE"])
    names = prepare(site)
    folder = pathlib.Path(folder)
    documents = {"arm": arm(names), "graph": graph(site), "sts": sts(site)}
    for name, document in documents.items():
        (folder / f"{name}.json").write_text(json.dumps(document))
    for name, scope in (("arm", "https://management.azure.com/.default"), ("graph", "https://graph.microsoft.com/.default")):
        (folder / f"token.{name}").write_text(site.token(scope))


def prepare(site):
    for group in (GROUP, LOCKED, DENIED, PASSING):
        path = f"{site.subscription}/resourceGroups/{group}"
        site.arm("PUT", path, "2021-04-01", {"location": site.ready["location"]})
    group = f"{site.subscription}/resourceGroups/{GROUP}"
    site.vault(group, "fuzzkv", False, [])
    site.account(group, "fuzzsa")
    for kind, name, version in (("Microsoft.HybridCompute/machines", "fuzzmachine", "2024-07-10"),
                                ("Microsoft.ManagedIdentity/userAssignedIdentities", "fuzzid", "2023-01-31")):
        site.arm("PUT", f"{group}/providers/{kind}/{name}", version, {"location": site.ready["location"], "properties": {}})
    return {"subscriptionId": [site.ready["subscription_id"]], "vaultName": ["fuzzkv"], "accountName": ["fuzzsa", "fuzzother"],
            "machineName": ["fuzzmachine", "fuzzsecond"], "resourceName": ["fuzzid", "fuzzother"], "lockName": ["l1"],
            "location": [site.ready["location"]], "roleDefinitionId": [READER, "b3b9d5c6-0000-4000-8000-00000000f022"],
            "roleAssignmentName": ["b3b9d5c6-0000-4000-8000-00000000f023"], "tagName": ["fuzztag"], "tagValue": ["v1", "v2"],
            "denyAssignmentId": ["b3b9d5c6-0000-4000-8000-00000000f024"], "containerName": ["box"], "extensionName": ["e1"],
            "federatedIdentityCredentialResourceName": ["trust"], "operationKind": ["add", "replace", "remove"],
            "resourceProviderNamespace": ["Microsoft.KeyVault", "Microsoft.Storage"]}


def arm(names):
    whole = {"swagger": "2.0", "info": {"title": "resource manager", "version": "1"}, "paths": {}, "definitions": {},
             "consumes": ["application/json"], "produces": ["application/json"]}
    for file in sorted((HERE.parent / "specs").glob("*.json")):
        # Each file has its own definitions; two may have the same name.
        own = json.loads(file.read_text().replace("#/definitions/", f"#/definitions/{file.stem}."))
        whole["definitions"] |= {f"{file.stem}.{name}": d for name, d in own["definitions"].items()}
        for path, methods in own["paths"].items():
            # A scope has slashes, which no parameter of a path can have.
            path = path.replace("/{scope}", "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}")
            for method, operation in methods.items():
                if not LEFT_OUT.search(operation["operationId"]):
                    whole["paths"].setdefault(path, {})[method] = with_names(path, operation, names)
    return whole


def with_names(path, operation, names):
    group = next((place for pattern, place in PLACES if re.search(pattern, operation["operationId"] + path)), GROUP)
    known = names | {"resourceGroupName": [group], "sourceResourceGroupName": [group],
                     "api-version": [operation.get("x-api-version", "2025-04-01")]}
    others = [p for p in operation.get("parameters", []) if p["in"] not in ("path",)]
    in_path = [{"name": n, "in": "path", "required": True, "type": "string"} for n in re.findall(r"\{(\w+)\}", path)]
    for parameter in in_path + others:
        if parameter["name"] in known and parameter["in"] != "body":
            parameter["enum"] = known[parameter["name"]]
    return operation | {"parameters": in_path + others}


def graph(site):
    """Graph's doors as people call them: free bodies with the members that are read."""
    known = objects(site)
    text, flag, texts = {"type": "string"}, {"type": "boolean"}, {"type": "array", "items": {"type": "string"}}
    key = {"type": "object", "properties": {"keyId": text, "key": text, "displayName": text, "endDateTime": text, "startDateTime": text}}
    bodies = {
        "applications": {"displayName": text, "identifierUris": texts, "keyCredentials": {"type": "array", "items": key}, "notes": text},
        "servicePrincipals": {"appId": text, "accountEnabled": flag, "keyCredentials": {"type": "array", "items": key}, "tags": texts},
        "users": {"displayName": text, "userPrincipalName": text, "mailNickname": text, "accountEnabled": flag},
        "groups": {"displayName": text, "mailNickname": text, "mailEnabled": flag, "securityEnabled": flag},
    }
    question = [{"name": n, "in": "query", "schema": text} for n in ("$filter", "$select", "$top", "$skiptoken")]
    paths = {"/v1.0/$batch": {"post": operation({"requests": {"type": "array", "items": {"type": "object", "properties": {
        "id": text, "method": text, "url": text, "body": {}, "dependsOn": texts}}}})},
        "/v1.0/directoryObjects/getByIds": {"post": operation({"ids": texts, "types": texts})},
        "/v1.0/me": {"get": operation()}, "/v1.0/organization": {"get": operation()}}
    for collection, members in bodies.items():
        one = f"/v1.0/{collection}/{{id}}"
        paths[f"/v1.0/{collection}"] = {"get": operation(more=question), "post": operation(members)}
        paths[one] = {"get": operation(), "patch": operation(members), "delete": operation()}
        for name in ("owners", "members", "memberOf", "transitiveMembers", "transitiveMemberOf"):
            paths[f"{one}/{name}"] = {"get": operation(more=question)}
        paths[f"{one}/owners/$ref"] = {"post": operation({"@odata.id": text})}
        for name in ("getMemberGroups", "checkMemberGroups"):
            paths[f"{one}/{name}"] = {"post": operation({"groupIds": texts, "securityEnabledOnly": flag})}
        paths[f"{one}/addPassword"] = {"post": operation({"passwordCredential": key})}
        paths[f"{one}/removePassword"] = {"post": operation({"keyId": text})}
        paths[f"{one}/federatedIdentityCredentials"] = {"get": operation(), "post": operation(
            {"name": text, "issuer": text, "subject": text, "audiences": texts, "description": text})}
    for path, methods in paths.items():
        for described in methods.values() if "{id}" in path else ():
            # One that is there for the whole run, and one that is not: only that is deleted.
            ids = ["0f0f0f0f-0000-4000-8000-000000000001", known[path.split("/")[2]]]
            described["parameters"].append({"name": "id", "in": "path", "required": True, "schema": {
                "type": "string", "enum": ids[:1] if described is methods.get("delete") else ids}})
    return document("Graph", paths)


def objects(site):
    """One object of each collection."""
    made = {}
    for collection, body in (("applications", {"displayName": "fuzzed"}), ("groups", {"displayName": "fuzzed", "mailNickname": "fuzzed"}),
                             ("users", {"displayName": "fuzzed", "userPrincipalName": "fuzzed@lab.example"})):
        made[collection] = ask(site, collection, body)
    acting = ask(site, "servicePrincipals", {"appId": made["applications"]["appId"]})
    return {collection: one["id"] for collection, one in (made | {"servicePrincipals": acting}).items()}


def ask(site, collection, body):
    return site.data("POST", f"{site.ready['graph'].rstrip('/')}/v1.0/{collection}", "https://graph.microsoft.com/.default", body)


def sts(site):
    """The token endpoint and what stands around it."""
    tenant, text = site.ready["tenant_id"], {"type": "string"}
    members = ("grant_type", "client_id", "client_secret", "scope", "client_assertion", "client_assertion_type", "resource", "claims")
    form = {"schema": {"type": "object", "properties": {
        name: text if name != "grant_type" else {"type": "string", "enum": ["client_credentials", "refresh_token", ""]}
        for name in members}}}
    token = operation() | {"requestBody": {"content": {"application/x-www-form-urlencoded": form}}}
    return document("token service", {
        f"/{tenant}/oauth2/v2.0/token": {"post": token}, f"/{tenant}/oauth2/token": {"post": token},
        "/{tenant}/v2.0/.well-known/openid-configuration": {"get": operation(more=[
            {"name": "tenant", "in": "path", "required": True, "schema": text}])},
        "/common/discovery/instance": {"get": operation(more=[
            {"name": n, "in": "query", "schema": text} for n in ("authorization_endpoint", "api-version")])}})


def operation(members=None, more=()):
    described = {"parameters": [dict(p) for p in more], "responses": {"default": {"description": "any"}}}
    if members is not None:
        described["requestBody"] = {"content": {"application/json": {"schema": {"type": "object", "properties": members}}}}
    return described


def document(title, paths):
    return {"openapi": "3.0.3", "info": {"title": title, "version": "1"}, "paths": paths}


if __name__ == "__main__":
    main(sys.argv[1])
