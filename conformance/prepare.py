#!/usr/bin/env python3
"""Makes what the suites use, as an operator would, with nothing but Python's standard library.

    prepare.py > prepared.json          for the SDK suites
    prepare.py --shell > prepared.sh    for shell scripts: NAME='value' lines

Reads the ready file of the site named by COUNTERSIGN_READY_FILE (`countersign run` sets it). Running it twice is
harmless. The machine gets: Reader on the subscription, get and list in one vault by access policy, Storage Blob Data
Contributor on one account, and nothing at all on a second vault and a second account. It may also act as a
user-assigned identity, which may read the first vault.
"""
import json
import os
import shlex
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

GROUP = "conformance"
VAULT, CLOSED_VAULT = "conformancekv", "conformanceclosed"
IDENTITY = "conformanceid"
ACCOUNT, CLOSED_ACCOUNT = "conformancesa", "conformanceclosedsa"

# Ids of built-in roles are the same in every tenant.
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
BLOB_DATA_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
SECRETS_OFFICER = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7"


def main():
    site = Site(os.environ["COUNTERSIGN_READY_FILE"])
    machine = site.ready["machine"]
    me, group = site.operator["object_id"], f"{site.subscription}/resourceGroups/{GROUP}"
    location = site.ready["location"]

    site.arm("PUT", group, "2021-04-01", {"location": location})
    site.arm("PUT", f"{site.subscription}/tagNames/scenario", "2021-04-01")
    site.arm("PUT", f"{site.subscription}/tagNames/scenario/tagValues/conformance", "2021-04-01")
    site.arm("PATCH", f"{machine['resource_id']}/providers/Microsoft.Resources/tags/default", "2021-04-01",
             {"operation": "Merge", "properties": {"tags": {"scenario": "conformance"}}})
    identity = site.identity(group, IDENTITY, machine["resource_id"])
    site.vault(group, VAULT, rbac=False, policies=[
        (me, ["all", "purge"]), (machine["principal_id"], ["get", "list"]),
        (identity["properties"]["principalId"], ["get"])])
    closed = site.vault(group, CLOSED_VAULT, rbac=True, policies=[])
    account = site.account(group, ACCOUNT)
    site.account(group, CLOSED_ACCOUNT)
    site.assign(machine["principal_id"], READER, site.subscription)
    site.assign(machine["principal_id"], BLOB_DATA_CONTRIBUTOR, account)
    site.assign(me, BLOB_DATA_CONTRIBUTOR, account)
    site.assign(me, SECRETS_OFFICER, closed)

    prepared = {
        "tenant_id": site.ready["tenant_id"],
        "subscription_id": site.ready["subscription_id"],
        "group": GROUP,
        "authority": site.ready["authority"].rstrip("/"),
        "resource_manager": site.ready["resource_manager"].rstrip("/"),
        "graph": site.ready["graph"].rstrip("/"),
        "operator_client_id": site.operator["client_id"],
        "operator_client_secret": site.secret,
        "operator_object_id": me,
        "machine_name": machine["name"],
        "machine_resource_id": machine["resource_id"],
        "machine_principal_id": machine["principal_id"],
        "identity_resource_id": identity["id"],
        "identity_client_id": identity["properties"]["clientId"],
        "identity_object_id": identity["properties"]["principalId"],
        "vault_name": VAULT,
        "vault": site.vault_url(VAULT),
        "closed_vault": site.vault_url(CLOSED_VAULT),
        "account_name": ACCOUNT,
        "account": site.account_url(ACCOUNT),
        "closed_account": site.account_url(CLOSED_ACCOUNT),
    }
    site.data("PUT", f"{prepared['vault']}/secrets/scenario?api-version=7.4", "https://vault.azure.net/.default",
              {"value": "the cake is in the kitchen"})
    site.data("PUT", f"{prepared['closed_vault']}/secrets/hidden?api-version=7.4", "https://vault.azure.net/.default",
              {"value": "nobody reads this"})
    # For clients that open containers and make none.
    site.data("PUT", f"{prepared['account']}/shared?restype=container", "https://storage.azure.com/.default",
              fine=("ContainerAlreadyExists",))
    if "--shell" in sys.argv:
        for name, value in prepared.items():
            print(f"{name.upper()}={shlex.quote(value)}")
    else:
        json.dump(prepared, sys.stdout, indent=1)


class Site:
    """A running site, seen with the operator's eyes."""

    def __init__(self, ready_file):
        with open(ready_file, encoding="utf-8") as file:
            self.ready = json.load(file)
        self.operator = self.ready["operator"]
        with open(self.operator["client_secret_file"], encoding="utf-8") as file:
            self.secret = file.read().strip()
        self.subscription = f"/subscriptions/{self.ready['subscription_id']}"
        port = self.ready["https_port"]
        # Suffixes carry a port that is not 443 already, or leave it to us.
        self.port = "" if port == 443 or ":" in self.ready["vault_suffix"] else f":{port}"
        self.trust = ssl.create_default_context(cafile=self.ready["ca_file"])
        self.tokens = {}

    def vault_url(self, name):
        return f"https://{name}.{self.ready['vault_suffix']}{self.port}"

    def account_url(self, name):
        return f"https://{name}.{self.ready['blob_suffix']}{self.port}"

    def vault(self, group, name, rbac, policies):
        path = f"{group}/providers/Microsoft.KeyVault/vaults/{name}"
        tenant = self.ready["tenant_id"]
        self.arm("PUT", path, "2022-07-01", {"location": self.ready["location"], "properties": {
            "tenantId": tenant, "sku": {"family": "A", "name": "standard"}, "enableRbacAuthorization": rbac,
            "softDeleteRetentionInDays": 7,
            "accessPolicies": [{"tenantId": tenant, "objectId": who, "permissions": {"secrets": what}}
                               for who, what in policies]}})
        return path

    def identity(self, group, name, machine):
        path = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
        made = self.arm("PUT", path, "2023-01-31", {"location": self.ready["location"]})
        self.arm("PATCH", machine, "2024-07-10", {"identity": {
            "type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {path: {}}}})
        return made

    def account(self, group, name):
        path = f"{group}/providers/Microsoft.Storage/storageAccounts/{name}"
        self.arm("PUT", path, "2023-01-01", {"location": self.ready["location"], "kind": "StorageV2",
                                             "sku": {"name": "Standard_LRS"}, "properties": {}})
        # Creation may be a long-running operation: the account is there when it says so.
        for _ in range(100):
            if self.arm("GET", path, "2023-01-01")["properties"]["provisioningState"] == "Succeeded":
                return path
            time.sleep(0.1)
        raise SystemExit(f"prepare: {name} was not created")

    def assign(self, who, role, scope):
        name = uuid.uuid5(uuid.NAMESPACE_URL, f"{who} {role} {scope}")
        self.arm("PUT", f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}", "2022-04-01", {
            "properties": {"principalId": who, "principalType": "ServicePrincipal", "roleDefinitionId":
                           f"{self.subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"}},
            fine=("RoleAssignmentExists",))

    def arm(self, method, path, version, body=None, fine=()):
        url = f"{self.ready['resource_manager'].rstrip('/')}{path}?api-version={version}"
        return self.data(method, url, "https://management.azure.com/.default", body, fine)

    def data(self, method, url, scope, body=None, fine=()):
        """One request with the operator's token; an error whose code is in `fine` is none."""
        headers = {"Authorization": f"Bearer {self.token(scope)}", "Content-Type": "application/json",
                   "x-ms-version": "2023-11-03"}
        content = None if method == "GET" else b"" if body is None else json.dumps(body).encode()
        try:
            return self.send(urllib.request.Request(url, content, headers, method=method))
        except urllib.error.HTTPError as error:
            answer = error.read().decode(errors="replace")
            if any(code in answer for code in fine):
                return None
            raise SystemExit(f"prepare: {method} {url}: {error.code} {answer}") from None

    def token(self, scope):
        if scope not in self.tokens:
            form = urllib.parse.urlencode({
                "grant_type": "client_credentials", "client_id": self.operator["client_id"],
                "client_secret": self.secret, "scope": scope}).encode()
            url = f"{self.ready['authority'].rstrip('/')}/{self.ready['tenant_id']}/oauth2/v2.0/token"
            self.tokens[scope] = self.send(urllib.request.Request(url, form))["access_token"]
        return self.tokens[scope]

    def send(self, request):
        with urllib.request.urlopen(request, context=self.trust, timeout=30) as answer:
            content = answer.read()
        return json.loads(content) if content else None


if __name__ == "__main__":
    main()
