"""Prints the object id that a credential's token is of: whose.py managed [CLIENT_ID] | workload | workload-aio."""
import asyncio
import base64
import json
import sys

SCOPE = "https://vault.azure.net/.default"


def owner(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["oid"]


def managed():
    from azure.identity import ManagedIdentityCredential
    return ManagedIdentityCredential(client_id=sys.argv[2] if len(sys.argv) > 2 else None).get_token(SCOPE).token


def workload():
    from azure.identity import WorkloadIdentityCredential
    return WorkloadIdentityCredential(disable_instance_discovery=True).get_token(SCOPE).token


async def workload_aio():
    from azure.identity.aio import WorkloadIdentityCredential
    async with WorkloadIdentityCredential(disable_instance_discovery=True) as credential:
        return (await credential.get_token(SCOPE)).token


KINDS = {"managed": managed, "workload": workload, "workload-aio": lambda: asyncio.run(workload_aio())}
print(owner(KINDS[sys.argv[1]]()))
