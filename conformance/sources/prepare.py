#!/usr/bin/env python3
"""Lets the agent's machine act as the prepared identity, and makes an application that trusts the machine.

    prepare.py AGENTCONFIG           prints JOB=… and JOB_OBJECT=… for a shell
    prepare.py AGENTCONFIG detach    takes the identity off the machine
"""
import importlib.util
import json
import os
import sys

_spec = importlib.util.spec_from_file_location(
    "prepare", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "prepare.py"))
prepare = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(prepare)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        machine = json.load(file)
    with open(os.environ["COUNTERSIGN_PREPARED"], encoding="utf-8") as file:
        prepared = json.load(file)
    site = prepare.Site(os.environ["COUNTERSIGN_READY_FILE"])
    identities = {"type": "SystemAssigned"}
    if "detach" not in sys.argv:
        identities = {"type": "SystemAssigned, UserAssigned",
                      "userAssignedIdentities": {prepared["identity_resource_id"]: {}}}
    site.arm("PATCH", machine["resource_id"], "2024-07-10", {"identity": identities})
    if "detach" not in sys.argv:
        job = trusting(site, machine)
        print(f"JOB={job['appId']} JOB_OBJECT={job['id']}")


def trusting(site, machine):
    """An application with a federated credential about the machine's identity; its service principal."""
    def graph(path, body):
        url = f"{site.ready['graph'].rstrip('/')}/v1.0/{path}"
        return site.data("POST", url, "https://graph.microsoft.com/.default", body)

    application = graph("applications", {"displayName": "job"})
    graph(f"applications/{application['id']}/federatedIdentityCredentials", {
        "name": "machine", "issuer": f"{machine['authority'].rstrip('/')}/{machine['tenant_id']}/v2.0",
        "subject": machine["principal_id"], "audiences": ["api://AzureADTokenExchange"]})
    return graph("servicePrincipals", {"appId": application["appId"]})


main()
