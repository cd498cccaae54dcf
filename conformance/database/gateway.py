"""`countersign gateway` in front of a real PostgreSQL, started by gateway.sh.

    gateway.py WORK        COUNTERSIGN, SITE_DATA, COUNTERSIGN_READY_FILE, PG_FOLDER and PG_PORT are set
"""
import atexit
import json
import os
import signal
import subprocess
import sys
import threading
import time

import psycopg

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from prepare import Site  # noqa: E402

VERSION = "2024-08-01"
DATABASES = "https://ossrdbms-aad.database.windows.net/.default"
GRAPH = "https://graph.microsoft.com/.default"
WORK = sys.argv[1]
site = Site(os.environ["COUNTERSIGN_READY_FILE"])
server = f"{site.subscription}/resourceGroups/databases/providers/Microsoft.DBforPostgreSQL/flexibleServers/dbcert"
graph = site.ready["graph"].rstrip("/") + "/v1.0"


def expect(what, found, wanted):
    assert found == wanted, f"{what}: found {found!r} instead of {wanted!r}"
    print(f"{what}: {found}")


class Application:
    """An application with a secret."""

    def __init__(self, name):
        made = site.data("POST", f"{graph}/applications", GRAPH, {"displayName": name})
        self.client = made["appId"]
        self.object = site.data("POST", f"{graph}/servicePrincipals", GRAPH, {"appId": self.client})["id"]
        self.secret = site.data("POST", f"{graph}/applications/{made['id']}/addPassword", GRAPH, {})["secretText"]

    def token(self, scope=DATABASES):
        own = Site(os.environ["COUNTERSIGN_READY_FILE"])
        own.operator, own.secret = own.operator | {"client_id": self.client}, self.secret
        return own.token(scope)

    def enable(self, enabled):
        site.data("PATCH", f"{graph}/servicePrincipals/{self.object}", GRAPH, {"accountEnabled": enabled})


def rule(who, role):
    site.arm("PUT", f"{server}/administrators/{who}", VERSION,
             {"properties": {"principalName": role, "principalType": "ServicePrincipal"}})


def superuser():
    return psycopg.connect(host=os.environ["PG_FOLDER"], port=os.environ["PG_PORT"], user="countersign",
                           dbname="postgres", autocommit=True)


def gateway(application, *more):
    secret = os.path.join(WORK, "secret")
    with open(secret, "w", encoding="ascii") as file:
        file.write(application.secret)
    command = [os.environ["COUNTERSIGN"], "gateway", "--site", site.ready["resource_manager"], "--ca-file",
               site.ready["ca_file"], "--server", server, "--tenant-id", site.ready["tenant_id"], "--client-id",
               application.client, "--client-secret-file", secret, "--postgres", "127.0.0.1:0", *more]
    process = subprocess.Popen(command)
    # Whatever goes wrong here, nothing of it stays.
    atexit.register(process.kill)
    return process


def started(application, *more):
    ready = os.path.join(WORK, "gateway.json")
    process = gateway(application, "--ready-file", ready, *more)
    until = time.monotonic() + 20
    while not os.path.exists(ready):
        assert process.poll() is None and time.monotonic() < until, "the gateway does not start"
    with open(ready, encoding="utf-8") as file:
        return process, json.load(file)["postgres"].rsplit(":", 1)[1]


def connect(port, **options):
    own = {"host": f"dbcert.{site.ready['postgres_suffix']}", "hostaddr": "127.0.0.1", "port": port, "dbname": "lab",
           "user": "remote", "sslmode": "verify-full", "sslrootcert": site.ready["ca_file"], "autocommit": True}
    return psycopg.connect(**own | options)


def refused(what, said, port, **options):
    try:
        connect(port, **options).close()
    except psycopg.OperationalError as error:
        assert said in str(error), error
        return print(f"{what}: {said}")
    raise AssertionError(f"{what}: it was let in")


def ended_within_a_second(what, connection, deed):
    """The deed ends what the session does, with PostgreSQL's own words."""
    began = []

    def do():
        with superuser() as watcher:
            asleep = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'remote' AND wait_event = 'PgSleep'"
            while not watcher.execute(asleep).fetchone()[0]:
                pass
        deed()
        began.append(time.monotonic())

    thread = threading.Thread(target=do)
    thread.start()
    try:
        connection.execute("SELECT pg_sleep(60)")
    except psycopg.errors.AdminShutdown as error:
        thread.join()
        took = time.monotonic() - began[0]
        assert took < 1, f"{what}: it took {took:.2f} s"
        return print(f"{what}: {error.sqlstate} after {took * 1000:.0f} ms")
    raise AssertionError(f"{what}: it was not ended")


guard, client, stranger = Application("db-gateway"), Application("db-remote"), Application("db-stranger")
with superuser() as connection:
    connection.execute("CREATE ROLE remote LOGIN IN ROLE entra")
rule(client.object, "remote")
rule(stranger.object, "Data Team")

expect("without the role it does not start", gateway(guard).wait(), 5)
allow = [os.environ["COUNTERSIGN"], "database", "allow-gateway", "--data", os.environ["SITE_DATA"], "--server", "dbcert",
         "--object-id", guard.object]
for _ in range(2):
    print(subprocess.run(allow, check=True, capture_output=True, text=True).stdout.strip())
process, port = started(guard)
good = {"password": client.token()}
with connect(port, **good) as one:
    expect("who I am", one.execute("SELECT current_user, session_user").fetchone(), ("remote", "remote"))
    expect("the certificate's name", one.execute(
        "SELECT client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone(), ("/CN=remote",))
refused("another's role", "password authentication failed", port, user="Data Team", **good)
refused("another's token", "password authentication failed", port, password=stranger.token())
refused("for another resource", "token audience is wrong", port, password=client.token("https://vault.azure.net/.default"))
refused("no token", "password authentication failed", port, password="secret")
refused("in the clear", "connection requires TLS", port, sslmode="disable", **good)

with connect(port, **good) as one:
    ended_within_a_second("its rule is taken", one,
                          lambda: site.arm("DELETE", f"{server}/administrators/{client.object}", VERSION))
refused("without a rule", "password authentication failed", port, **good)
rule(client.object, "remote")
with connect(port, **good) as one:
    ended_within_a_second("its identity is disabled", one, lambda: client.enable(False))
refused("while disabled", "password authentication failed", port, **good)
client.enable(True)

# The site stands still: what it confirmed counts for ten seconds, open sessions go on.
idle = connect(port, **good)
os.kill(site.ready["process_id"], signal.SIGSTOP)
try:
    until = time.monotonic() + 40
    while True:
        try:
            connect(port, **good).close()
        except psycopg.OperationalError as error:
            assert "cannot be decided at the moment" in str(error), error
            break
        assert time.monotonic() < until, "logins are decided without the site"
    print("the site stands still: logins cannot be decided")
    expect("an open session goes on", idle.execute("SELECT current_user").fetchone(), ("remote",))
finally:
    os.kill(site.ready["process_id"], signal.SIGCONT)
until = time.monotonic() + 20
while True:
    try:
        connect(port, **good).close()
        break
    except psycopg.OperationalError:
        assert time.monotonic() < until, "it does not come back"
print("and again, once it goes on")

# A gateway whose role is taken away ends what it has let in.
with connect(port, **good) as one:
    assignments = site.arm("GET", f"{server}/providers/Microsoft.Authorization/roleAssignments", "2022-04-01")["value"]
    its = [a["id"] for a in assignments if a["properties"]["principalId"] == guard.object]
    assert len(its) == 1, assignments
    ended_within_a_second("its gateway's role is taken", one, lambda: site.arm("DELETE", its[0], "2022-04-01"))
refused("at a gateway that is none", "password authentication failed", port, **good)
subprocess.run(allow, check=True, capture_output=True)
until = time.monotonic() + 10
while True:
    try:
        idle = connect(port, **good)
        break
    except psycopg.OperationalError:
        assert time.monotonic() < until, "it does not come back"
print("and again, with its role")

process.send_signal(signal.SIGTERM)
expect("it ends", process.wait(timeout=20), 0)
try:
    idle.execute("SELECT 1")
except psycopg.errors.AdminShutdown as error:
    expect("its session was told", error.sqlstate, "57P01")
# On the database's own host: by its socket, where PostgreSQL asks the kernel who comes.
process, port = started(guard, "--postgres-socket", f"{os.environ['PG_FOLDER']}:{os.environ['PG_PORT']}")
with connect(port, user="Data Team", password=stranger.token()) as one:
    expect("by the socket", one.execute(
        "SELECT current_user, client_addr IS NULL FROM pg_stat_activity WHERE pid = pg_backend_pid()").fetchone(),
        ("Data Team", True))
process.send_signal(signal.SIGTERM)
expect("it ends too", process.wait(timeout=20), 0)
print("\ngateway: all as it should be")
