#!/usr/bin/env python3
"""Makes two database servers in the site, as an operator would, and tells the one PostgreSQL behind both whom to trust.

    prepare.py >prepared.sh        NAME='value' lines

`dbcert` is reached over TLS and logged in to with client certificates; `dbpeer` by its socket. The machine may be the
role "lab-machine" on both, the operator's application "Data Team". PG_FOLDER and PG_PORT say where PostgreSQL is.
"""
import os
import shlex
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from prepare import Site  # noqa: E402

VERSION = "2024-08-01"


def main():
    site = Site(os.environ["COUNTERSIGN_READY_FILE"])
    folder, port = os.environ["PG_FOLDER"], int(os.environ["PG_PORT"])
    group = f"{site.subscription}/resourceGroups/databases"
    site.arm("PUT", group, "2021-04-01", {"location": site.ready["location"]})
    with open(f"{folder}/ca.crt", encoding="ascii") as file:
        authority = file.read()
    backend = {"host": "127.0.0.1", "port": port, "serverName": "localhost", "certificateAuthority": authority}
    servers = {"dbcert": {"backend": backend, "sessions": {"replication": True}, "clientCertificates": {"lifeSeconds": 3600}},
               "dbpeer": {}}
    for name, properties in servers.items():
        path = f"{group}/providers/Microsoft.DBforPostgreSQL/flexibleServers/{name}"
        made = site.arm("PUT", path, VERSION, {"location": site.ready["location"], "properties": properties})
        host = made["properties"]["fullyQualifiedDomainName"]
        assert host == f"{name}.{site.ready['postgres_suffix']}", host
        if name == "dbcert":
            with open(f"{folder}/trust/clients.crt", "w", encoding="ascii") as file:
                file.write(made["properties"]["clientCertificateAuthority"])
        rules = {site.ready["machine"]["principal_id"]: "lab-machine", site.operator["object_id"]: "Data Team"}
        for who, role in rules.items():
            site.arm("PUT", f"{path}/administrators/{who}", VERSION, {
                "properties": {"principalName": role, "principalType": "ServicePrincipal"}})
        listed = site.arm("GET", f"{path}/administrators", VERSION)["value"]
        assert sorted(rule["properties"]["principalName"] for rule in listed) == ["Data Team", "lab-machine"], listed
    for name, value in {
        "SUFFIX": site.ready["postgres_suffix"], "CA": site.ready["ca_file"],
        "OPERATOR_TOKEN": site.token("https://ossrdbms-aad.database.windows.net/.default"),
        "MACHINE_RULE": f"{group}/providers/Microsoft.DBforPostgreSQL/flexibleServers/dbcert/administrators/"
                        + site.ready["machine"]["principal_id"],
        "SERVER": f"{group}/providers/Microsoft.DBforPostgreSQL/flexibleServers/dbcert",
        "SITE": site.ready["resource_manager"], "OPERATOR": site.operator["client_id"],
        "OPERATOR_SECRET": site.operator["client_secret_file"],
        "MACHINE": site.ready["machine"]["principal_id"],
        "MANAGEMENT": site.ready["resource_manager"].rstrip("/"),
        "MANAGEMENT_TOKEN": site.token("https://management.azure.com/.default"),
    }.items():
        print(f"{name}={shlex.quote(value)}")


if __name__ == "__main__":
    main()
