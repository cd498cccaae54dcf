"""Which source gives which identity to which client for Python: lines of client, source, and a result for each way to ask.

    ask.py SOURCE      arc, arc-file, imds, app-service, cloud-shell or workload; the environment is that source's

EXPECT_OWN and EXPECT_IDENTITY are the object ids that tokens must be of. A result is yes, no (the client says why on
standard error) or - where the client has no way to ask. A token of anybody else ends the program.
"""
import asyncio
import base64
import json
import os
import sys

import msal
import requests
from azure.identity import DefaultAzureCredential, ManagedIdentityCredential, WorkloadIdentityCredential, aio

SOURCE = sys.argv[1]
# The chains ask for other resources, so that no token is at hand that another client has got.
SCOPE, RESOURCE = "https://vault.azure.net/.default", "https://vault.azure.net"
SCOPE_OF_CHAIN, SCOPE_OF_VARIABLE = "https://storage.azure.com/.default", "https://graph.microsoft.com/.default"
OWN, IDENTITY = os.environ["EXPECT_OWN"], os.environ["EXPECT_IDENTITY"]
with open(os.environ["COUNTERSIGN_PREPARED"], encoding="utf-8") as _file:
    SITE = json.load(_file)
SELECTORS = [
    {}, {"client_id": SITE["identity_client_id"]},
    {"identity_config": {"object_id": SITE["identity_object_id"]}},
    {"identity_config": {"resource_id": SITE["identity_resource_id"]}},
]
# Under a name of the site's own the authority is nobody the public cloud knows.
OURS = {"disable_instance_discovery": True}


def owner(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["oid"]


def judged(what, expected, ask):
    try:
        token = ask()
    except Exception as error:  # noqa: BLE001 - whatever a client raises is its "no"
        print(f"{SOURCE}: {what}: {str(error).splitlines()[0][:200]}", file=sys.stderr)
        return "no"
    if owner(token) != expected:
        sys.exit(f"{SOURCE}: {what}: a token of {owner(token)} instead of {expected}")
    return "yes"


def asked(client, managed):
    cells = []
    for selector in SELECTORS:
        if cells == ["no"] and SOURCE == "arc-file":
            # It does not look for the file, and would look for IMDS again and again.
            return ["no", "-", "-", "-"]
        cells.append(judged(f"{client} {selector}", IDENTITY if selector else OWN, lambda s=selector: managed(**s)))
    return cells


def identity(client, managed, workload, default):
    if SOURCE == "workload":
        cells = [judged(f"{client}", OWN, workload), "-", "-", "-"]
    else:
        cells = asked(client, managed)
    cells.append(judged(f"{client} default", OWN, lambda: default(SCOPE_OF_CHAIN)))
    if SOURCE == "workload":
        cells.append("-")  # the variable is one of the source's own
    else:
        os.environ["AZURE_CLIENT_ID"] = SITE["identity_client_id"]
        cells.append(judged(f"{client} default by AZURE_CLIENT_ID", IDENTITY, lambda: default(SCOPE_OF_VARIABLE)))
        del os.environ["AZURE_CLIENT_ID"]
    print("\t".join([client, SOURCE, *cells]))


def in_loop(kind, scope=SCOPE, **arguments):
    async def ask():
        async with kind(**arguments) as credential:
            return (await credential.get_token(scope)).token
    return asyncio.run(ask())


def msal_managed(**selector):
    config = selector.get("identity_config", {})
    ids = {"client_id": selector.get("client_id"), "object_id": config.get("object_id"),
           "resource_id": config.get("resource_id")}
    ids = {name: value for name, value in ids.items() if value}
    whose = msal.UserAssignedManagedIdentity(**ids) if ids else msal.SystemAssignedManagedIdentity()
    reply = msal.ManagedIdentityClient(whose, http_client=requests.Session()).acquire_token_for_client(resource=RESOURCE)
    if "access_token" not in reply:
        raise RuntimeError(f"{reply.get('error')}: {reply.get('error_description')}")
    return reply["access_token"]


def msal_assertion():
    with open(os.environ["AZURE_FEDERATED_TOKEN_FILE"], encoding="utf-8") as file:
        assertion = file.read()
    application = msal.ConfidentialClientApplication(
        os.environ["AZURE_CLIENT_ID"], client_credential={"client_assertion": lambda: assertion}, instance_discovery=False,
        authority=os.environ["AZURE_AUTHORITY_HOST"] + os.environ["AZURE_TENANT_ID"])
    return application.acquire_token_for_client([SCOPE])["access_token"]


identity("Python: azure-identity",
         lambda **s: ManagedIdentityCredential(**s).get_token(SCOPE).token,
         lambda: WorkloadIdentityCredential(**OURS).get_token(SCOPE).token,
         lambda scope: DefaultAzureCredential(**OURS).get_token(scope).token)
identity("Python: azure-identity, asynchronous",
         lambda **s: in_loop(aio.ManagedIdentityCredential, **s),
         lambda: in_loop(aio.WorkloadIdentityCredential, **OURS),
         lambda scope: in_loop(aio.DefaultAzureCredential, scope, **OURS))
if SOURCE == "workload":
    cells = [judged("msal", OWN, msal_assertion), "-", "-", "-"]
elif SOURCE == "cloud-shell":
    # It knows the variable only beside a secret (Azure ML) and would ask IMDS.
    cells = ["-"] * 4
else:
    cells = asked("msal", msal_managed)
print("\t".join(["Python: msal", SOURCE, *cells, "-", "-"]))
