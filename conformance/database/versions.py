"""The gateway before several versions of PostgreSQL, by psycopg with libpq 18, run by `countersign run`.

PG_SERVERS names the servers: "12=/folder:port 16=…". Each is reached both ways: over TLS with client certificates
(`cert12`) and by its socket (`peer12`). COUNTERSIGN is the program.
"""
import os
import subprocess
import sys
import threading
import time

import psycopg
from azure.identity import ManagedIdentityCredential
from psycopg import pq

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from prepare import Site  # noqa: E402

VERSION = "2024-08-01"
SCOPE = "https://ossrdbms-aad.database.windows.net/.default"
ROWS = 50_000
site = Site(os.environ["COUNTERSIGN_READY_FILE"])
token = ManagedIdentityCredential().get_token(SCOPE).token


def expect(what, found, wanted):
    assert found == wanted, f"{what}: found {found!r} instead of {wanted!r}"
    print(f"{what}: {found}")


def superuser(folder, port, database="postgres"):
    return psycopg.connect(host=folder, port=port, user="countersign", dbname=database, autocommit=True)


def prepare(major, folder, port):
    """Two servers of the site for one PostgreSQL, and its roles, by what `countersign database setup` prints."""
    group = f"{site.subscription}/resourceGroups/databases"
    site.arm("PUT", group, "2021-04-01", {"location": site.ready["location"]})
    with open(f"{folder}/ca.crt", encoding="ascii") as file:
        backend = {"host": "127.0.0.1", "port": port, "serverName": "localhost", "certificateAuthority": file.read()}
    for name, properties in {f"cert{major}": {"backend": backend}, f"peer{major}": {}}.items():
        path = f"{group}/providers/Microsoft.DBforPostgreSQL/flexibleServers/{name}"
        made = site.arm("PUT", path, VERSION, {"location": site.ready["location"], "properties": properties})
        if "backend" in properties:
            with open(f"{folder}/trust/clients.crt", "w", encoding="ascii") as file:
                file.write(made["properties"]["clientCertificateAuthority"])
        site.arm("PUT", f"{path}/administrators/{site.ready['machine']['principal_id']}", VERSION, {
            "properties": {"principalName": "lab-machine", "principalType": "ServicePrincipal"}})
    setup = subprocess.run([os.environ["COUNTERSIGN"], "database", "setup", "--server", f"cert{major}",
                            "--admin", "Data Team"], check=True, capture_output=True, text=True).stdout
    with superuser(folder, port) as connection:
        connection.execute(setup)
        # Twice does no harm: people run it again after an upgrade.
        connection.execute(setup)
        connection.execute("SELECT countersign.create_principal('lab-machine', false)")
        connection.execute("CREATE DATABASE lab")
        connection.execute("GRANT ALL ON DATABASE lab TO entra")
        connection.execute("SELECT pg_reload_conf()")


def connect(server, **options):
    all_options = {"host": f"{server}.{site.ready['postgres_suffix']}", "dbname": "lab", "user": "lab-machine",
                   "password": token, "sslmode": "verify-full", "sslrootcert": site.ready["ca_file"],
                   "autocommit": True} | options
    return psycopg.connect(**all_options)


def until_trusted(server):
    """The server reads the new authority in its own time."""
    until = time.monotonic() + 20
    while True:
        try:
            return connect(server).close()
        except psycopg.OperationalError:
            if time.monotonic() > until:
                raise


def cancelled(connection, cancel):
    """A query that is cancelled once it runs; answers the code it ended with."""
    failed = []

    def when_asleep(folder, port):
        try:
            with superuser(folder, port) as watcher:
                asleep = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'lab-machine' AND wait_event = 'PgSleep'"
                while not watcher.execute(asleep).fetchone()[0]:
                    pass
            cancel()
        except Exception as error:  # Told by the thread that asserts.
            failed.append(error)
            connection.cancel()

    thread = threading.Thread(target=when_asleep, args=connection.place)
    thread.start()
    try:
        connection.execute("SELECT pg_sleep(60)")
    except psycopg.errors.QueryCanceled as error:
        return error.sqlstate
    finally:
        thread.join()
        assert not failed, failed
    return None


def check(server, major, place):
    with connect(server) as connection:
        connection.place = place
        who = connection.execute("SELECT current_user, session_user, current_setting('server_version_num')").fetchone()
        expect(f"{server}: who and where", (who[0], who[1], int(who[2]) // 10_000), ("lab-machine", "lab-machine", major))
        connection.execute("CREATE TEMP TABLE t (a int, b text)")
        with connection.cursor().copy("COPY t FROM STDIN") as copy:
            for n in range(ROWS):
                copy.write_row((n, "x" * 50))
        with connection.cursor().copy("COPY t TO STDOUT") as copy:
            lines = sum(1 for _ in copy.rows())
        expect(f"{server}: copied in and out", lines, ROWS)
        # libpq 17 and later cancel over TLS, older ones in the clear.
        expect(f"{server}: cancelled over TLS", cancelled(connection, connection.cancel_safe), "57014")
        expect(f"{server}: cancelled in the clear", cancelled(connection, connection.cancel), "57014")
        expect(f"{server}: and goes on", connection.execute("SELECT 1").fetchone(), (1,))
    for options, version in [
        ({"sslnegotiation": "direct"}, 30_000),
        ({"max_protocol_version": "latest"}, 30_002),
        ({"sslnegotiation": "direct", "min_protocol_version": "3.2", "max_protocol_version": "latest"}, 30_002),
    ]:
        with connect(server, **options) as connection:
            connection.place = place
            expect(f"{server}: {options}", connection.pgconn.full_protocol_version, version)
            # With 3.2 the key of a cancel request is longer.
            expect(f"{server}: cancelled", cancelled(connection, connection.cancel_safe), "57014")
    for options, said in [
        ({"user": "Data Team"}, 'password authentication failed for user "Data Team"'),
        ({"password": "secret"}, 'password authentication failed for user "lab-machine"'),
        ({"dbname": "nowhere"}, 'database "nowhere" does not exist'),
        ({"sslmode": "disable"}, "connection requires TLS"),
        ({"channel_binding": "require"}, "channel binding"),
    ]:
        try:
            connect(server, **options).close()
        except psycopg.OperationalError as error:
            assert said in str(error), error
            print(f"{server}: refused: {said}")
        else:
            raise AssertionError(f"{server}: {options} was let in")
    with connect(server, require_auth="password") as connection:
        expect(f"{server}: the honest setting", connection.info.user, "lab-machine")


def principals(major):
    """The operator's verbs, and Azure's functions, on this version."""
    run = lambda *words: subprocess.run([os.environ["COUNTERSIGN"], "database", "principal", *words,
                                         "--server", f"cert{major}"], check=True, capture_output=True, text=True).stdout
    machine = site.ready["machine"]["principal_id"]
    operator = {"user": "Data Team", "dbname": "postgres", "password": site.token(SCOPE)}
    with connect(f"cert{major}", **operator) as connection:
        connection.execute("SELECT * FROM pgaadauth_create_principal_with_oid('made', %s, 'service', false, false)", (machine,))
        run("sync")
        with connect(f"cert{major}", user="made") as made:
            expect(f"{major}: pgaadauth", made.execute("SELECT current_user").fetchone(), ("made",))
        connection.execute("SELECT countersign.drop_principal('made')")
        run("sync")
    run("create", "O'Brien \"x\"", "--object-id", machine)
    with connect(f"cert{major}", user="O'Brien \"x\"") as odd:
        expect(f"{major}: an odd name", odd.execute("SELECT current_user").fetchone(), ("O'Brien \"x\"",))
    run("drop", "O'Brien \"x\"")


assert pq.version() >= 180_000, pq.version()
for one in os.environ["PG_SERVERS"].split():
    number, where = int(one.split("=")[0]), one.split("=")[1].rsplit(":", 1)
    where = (where[0], int(where[1]))
    prepare(number, *where)
    until_trusted(f"cert{number}")
    check(f"cert{number}", number, where)
    check(f"peer{number}", number, where)
    principals(number)
print("\ndatabase-versions: all as it should be")
