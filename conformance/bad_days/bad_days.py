#!/usr/bin/env python3
"""Bad days of a site, from outside: one clear line, the documented exit code, and nothing damaged.

    bad_days.py PROGRAM DATA [CASE...]

Every case has a folder of its own below DATA. Standard library only. BAD_DAYS_DATABASE (postgres://…) and BAD_DAYS_BLOBS
(s3://…, with the usual AWS_ variables) add the cases in which those go away and come back; a small forwarder stands
between, so that they can go without being stopped.
"""
import os
import pathlib
import re
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.parse

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from outside import Site  # noqa: E402

FAILED, USAGE, WRONG_STATE, UNREACHABLE = 1, 2, 3, 4
# No start may take longer to give up.
PATIENCE_SECONDS = 60
PROGRAM = pathlib.Path(sys.argv[1]).resolve()


def main():
    data, wanted = pathlib.Path(sys.argv[2]).resolve(), sys.argv[3:]
    failed = 0
    for case in CASES:
        if wanted and case.__name__ not in wanted:
            continue
        folder = data / case.__name__
        folder.mkdir(parents=True)
        began = time.monotonic()
        try:
            skipped = case(folder)
            print(f"{'skipped' if skipped else 'passed '} {case.__name__} {skipped or ''} ({time.monotonic() - began:.1f} s)", flush=True)
        except AssertionError as error:
            failed += 1
            print(f"FAILED  {case.__name__}: {error}", flush=True)
    sys.exit(1 if failed else 0)


def refused(folder, code, words, *flags, wrap=(), data=None, **variables):
    """Starts a site that must not start: one line with these words, and this code."""
    command = (
        [*wrap, PROGRAM, "up", "--data", data or folder / "site", "--no-machine", "--listen", "127.0.0.1", *flags,
         *([] if "--https-port" in flags else ["--https-port", "0"])])
    try:
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                               timeout=PATIENCE_SECONDS, env=os.environ | variables)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"it started, or takes for ever to give up: {command}") from None
    lines = ended.stderr.splitlines()
    shown = f"exit code {ended.returncode}, standard error:\n{ended.stderr}"
    assert ended.returncode == code, f"{code} was expected: {shown}"
    assert lines and lines[0].startswith("countersign: error: "), shown
    assert len(lines) == 1 or (len(lines) == 2 and lines[1].startswith("hint: ")), f"more than one line: {shown}"
    assert re.search(words, lines[0]), f"'{words}' is not in it: {shown}"
    assert not ended.stdout, f"something on standard output: {ended.stdout}"


def whole(folder):
    """A site that ran once and holds a secret and two blobs."""
    site = Site(PROGRAM, folder)
    site.prepare()
    client = site.client()
    assert client.secret("kept", "before the bad day")[0] == 200
    assert client.put_blob("small", b"x" * 100)[0] == 201 and client.put_blob("large", b"y" * 300_000)[0] == 201
    site.stop()


def unharmed(folder, *flags):
    """What was there before the bad day is there after it."""
    site = Site(PROGRAM, folder, flags)
    holds(site.client())
    site.stop()


def holds(client):
    assert b"before the bad day" in client.secret("kept")[1], "the secret is gone"
    assert client.blob("GET", "/box/small")[1] == b"x" * 100 and client.blob("GET", "/box/large")[1] == b"y" * 300_000


def files(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def data_directory_in_use(folder):
    site = Site(PROGRAM, folder)
    site.prepare()
    refused(folder, WRONG_STATE, "in use by another process")
    assert site.client().secret("still", "here")[0] == 200
    site.stop()


def data_directory_that_cannot_be_written(folder):
    (folder / "site").mkdir()
    if os.getuid() == 0:
        # Root may write anything but what is mounted read-only.
        wrap = in_a_mount(folder / "site", "ro,size=1m")
    else:
        (folder / "site").chmod(0o500)
        wrap = ()
    refused(folder, FAILED, "data directory .*(Read-only|denied)", wrap=wrap)


def data_directory_that_is_a_file(folder):
    (folder / "site").write_text("a letter to my mother")
    refused(folder, FAILED, "data directory")
    assert (folder / "site").read_text() == "a letter to my mother"


def disk_full_at_the_first_start(folder):
    (folder / "site").mkdir()
    # Enough for nothing, for the keys, and for a part of the database.
    for size in ("4k", "64k", "200k"):
        refused(folder, FAILED, "[Nn]o space left|full", wrap=in_a_mount(folder / "site", f"size={size}"))


def disk_full_while_it_runs(folder):
    (folder / "site").mkdir()
    site = Site(PROGRAM, folder, wrap=in_a_mount(folder / "site", "size=24m"), log=subprocess.DEVNULL)
    site.prepare()
    client = site.client()
    assert client.secret("kept", "before the bad day")[0] == 200
    assert client.put_blob("small", b"x" * 100)[0] == 201 and client.put_blob("large", b"y" * 300_000)[0] == 201
    # The site sees a file system that we see only through it.
    filler = pathlib.Path(f"/proc/{site.process.pid}/root{folder}/site/filler")
    with open(filler, "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"z" * 4096)
        except OSError:
            pass
    for number in range(3):
        status, body = client.put_blob(f"refused{number}", b"w" * 300_000)
        assert status == 507, f"a large blob on a full disk: {status} {body!r}"
    # Small ones go on while the log of the database has room; then they are refused too.
    statuses = [client.secret(f"s{number}", "v" * 20_000)[0] for number in range(300)]
    assert set(statuses) <= {200, 503} and statuses[-1] == 503, f"secrets on a full disk: {statuses}"
    assert client.blob("GET", "/box/large")[1] == b"y" * 300_000, "reading needs no room"
    filler.unlink()
    holds(client)
    assert client.secret("after", "the bad day")[0] == 200 and client.put_blob("after", b"w" * 300_000)[0] == 201
    assert client.blob("GET", "/box/refused0")[0] == 404
    for number, status in enumerate(statuses):
        found = client.secret(f"s{number}")[0]
        assert found == (200 if status == 200 else 404), f"secret {number} was answered with {status} and is {found}"
    site.stop()


def in_a_mount(place, options):
    """Runs the program where `place` is a small file system of its own."""
    script = f'mount -t tmpfs -o {options} none "{place}" && exec "$@"'
    return ("unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh")


def port_in_use(folder):
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        port = str(squatter.getsockname()[1])
        refused(folder, FAILED, f"127.0.0.1:{port}.*in use", "--https-port", port)
    assert not (folder / "site/site.db").exists(), "something was made all the same"


def broken_configuration(folder):
    refused(folder, USAGE, "--nonsense", "--nonsense")
    refused(folder, USAGE, "--https-port", "--https-port", "many")
    refused(folder, USAGE, "--suffix", "--suffix", "not a domain")
    refused(folder, USAGE, "--database", "--database", "mysql://localhost/site")
    refused(folder, USAGE, "--blobs", "--blobs", "ftp://localhost/blobs")
    refused(folder, FAILED, "203.0.113.7", "--listen", "203.0.113.7")
    refused(folder, FAILED, "COUNTERSIGN_ROOT_KEY", COUNTERSIGN_ROOT_KEY="four")
    for address in ("postgres://[", "postgres://localhost:port/x"):
        refused(folder, UNREACHABLE, "database", "--database", address)
    assert not (folder / "site/root.key").exists() and not (folder / "site/operator.secret").exists()


def damaged_database(folder):
    whole(folder)
    database = folder / "site/site.db"
    # What still lies in the log goes into the file, or the log would heal it.
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    good = database.read_bytes()
    for damage in (b"not a database any more" * 50, good[:100] + b"\xa5" * (len(good) - 100)):
        database.write_bytes(damage)
        refused(folder, FAILED, "database|tenants|settings")
        assert database.read_bytes() == damage, "a damaged file was changed"
    for log in ("site.db-wal", "site.db-shm"):
        (folder / "site" / log).unlink(missing_ok=True)
    database.write_bytes(good)
    unharmed(folder)


def root_key_missing_wrong_or_open(folder):
    whole(folder)
    key = folder / "site/root.key"
    good = key.read_text()
    key.unlink()
    refused(folder, FAILED, "root.key is missing")
    assert not key.exists(), "a lost key is not made anew"
    refused(folder, FAILED, "root key does not open", COUNTERSIGN_ROOT_KEY="ab" * 32)
    for text in ("", "ab" * 31, "zz" * 32):
        key.write_text(text)
        key.chmod(0o600)
        refused(folder, FAILED, "root.key is damaged")
    key.write_text(good)
    key.chmod(0o644)
    refused(folder, FAILED, "may be read by others")
    key.chmod(0o600)
    unharmed(folder)


def bucket_that_cannot_be_reached(folder):
    with silent_port() as port:
        for address in ("http://127.0.0.1:9", f"http://127.0.0.1:{port}"):
            refused(folder, UNREACHABLE, "bucket", "--blobs", "s3://bucket/prefix", AWS_ENDPOINT=address,
                    AWS_ALLOW_HTTP="true", AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x", AWS_REGION="x")
    assert not (folder / "site/root.key").exists()


def database_that_cannot_be_reached(folder):
    with silent_port() as port:
        for address in ("127.0.0.1:9", f"127.0.0.1:{port}"):
            refused(folder, UNREACHABLE, "database", "--database", f"postgres://site@{address}/site")
    assert not (folder / "site/root.key").exists()


class silent_port:
    """Something that accepts and says nothing."""

    def __enter__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen()
        return self.socket.getsockname()[1]

    def __exit__(self, *_):
        self.socket.close()


def database_that_goes_and_comes_back(folder):
    address = os.environ.get("BAD_DAYS_DATABASE")
    if not address:
        return "BAD_DAYS_DATABASE names no server"
    url = urllib.parse.urlsplit(address)
    between = Forwarder(url.hostname, url.port or 5432)
    flags = ("--database", address.replace(f":{url.port}", f":{between.port}"))
    site = Site(PROGRAM, folder, flags, log=subprocess.DEVNULL)
    site.prepare()
    client = site.client()
    assert client.secret("kept", "before the bad day")[0] == 200
    assert client.put_blob("small", b"x" * 100)[0] == 201 and client.put_blob("large", b"y" * 300_000)[0] == 201
    between.go()
    assert client.secret("lost", "x")[0] == 503 and client.put_blob("lost", b"x")[0] == 503
    assert client.secret("kept")[0] == 503, "no record, no answer"
    between.come_back()
    patient(lambda: client.secret("after", "x")[0] == 200 and client.put_blob("after", b"x")[0] == 201)
    holds(client)
    assert client.secret("lost")[0] == 404 and client.blob("GET", "/box/lost")[0] == 404
    site.stop()
    between.end()
    return None


def bucket_that_goes_and_comes_back(folder):
    bucket, endpoint = os.environ.get("BAD_DAYS_BLOBS"), os.environ.get("AWS_ENDPOINT")
    if not bucket or not endpoint:
        return "BAD_DAYS_BLOBS and AWS_ENDPOINT name no bucket"
    url = urllib.parse.urlsplit(endpoint)
    between = Forwarder(url.hostname, url.port or 80)
    environment = os.environ | {"AWS_ENDPOINT": f"http://127.0.0.1:{between.port}", "AWS_ALLOW_HTTP": "true"}
    site = Site(PROGRAM, folder, ("--blobs", bucket), log=subprocess.DEVNULL, environment=environment)
    site.prepare()
    client = site.client()
    assert client.put_blob("large", b"y" * 300_000)[0] == 201
    between.go()
    assert client.put_blob("small", b"x" * 100)[0] == 201, "what lies in the database needs no bucket"
    status, body = client.put_blob("lost", b"z" * 300_000)
    assert status == 503, f"{status} {body!r}"
    between.come_back()
    patient(lambda: client.put_blob("after", b"z" * 300_000)[0] == 201)
    assert client.blob("GET", "/box/large")[1] == b"y" * 300_000 and client.blob("GET", "/box/lost")[0] == 404
    site.stop()
    between.end()
    return None


def patient(asked):
    """Asks until it is so."""
    until = time.monotonic() + 30
    while not asked():
        assert time.monotonic() < until, "it does not come back"
        time.sleep(0.2)


class Forwarder:
    """Passes connections on, until it goes: then it closes them and takes no more."""

    def __init__(self, host, port):
        self.target, self.passing, self.open = (host, port), True, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                asked, _ = self.listener.accept()
            except OSError:
                return
            if not self.passing:
                asked.close()
                continue
            answering = socket.create_connection(self.target)
            self.open += [asked, answering]
            for source, sink in ((asked, answering), (answering, asked)):
                threading.Thread(target=self.pump, args=(source, sink), daemon=True).start()

    @staticmethod
    def pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def go(self):
        self.passing = False
        for end in self.open:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.open = []

    def come_back(self):
        self.passing = True

    def end(self):
        self.go()
        self.listener.close()


CANARIES = {"secret": "canary-of-a-secret-5fd1", "key": "canary-of-a-client-77ab", "body": "canary-in-a-broken-body-09c3"}


def e10_h04_h08_no_value_is_printed_or_kept_in_the_open(folder):
    """With every log line on, and errors provoked: nothing secret in the output, none in the files but their own."""
    with open(folder / "output", "wb") as output:
        site = Site(PROGRAM, folder, log=output, environment=os.environ | {"COUNTERSIGN_LOG": "trace"})
        site.prepare()
        client = site.client()
        client.secret("planted", CANARIES["secret"])
        client.secret("planted")
        client.vault("POST", "/secrets/planted/backup?api-version=7.4", b"")
        client.vault("PUT", "/secrets/planted?api-version=7.4", f'{{"value":"{CANARIES["body"]}"'.encode())
        client.vault("PUT", "/secrets/planted?api-version=7.4", f'{{"value":["{CANARIES["body"]}"]}}'.encode())
        client.vault("POST", "/secrets/restore?api-version=7.4", f'{{"value":"{CANARIES["body"]}"}}'.encode())
        host = urllib.parse.urlsplit(site.ready["authority"]).hostname
        form = {"grant_type": "client_credentials", "client_id": site.ready["operator"]["client_id"],
                "client_secret": CANARIES["key"], "scope": "https://vault.azure.net/.default"}
        client.ask(host, "POST", f"/{site.ready['tenant_id']}/oauth2/v2.0/token", urllib.parse.urlencode(form).encode(),
                   {"Content-Type": "application/x-www-form-urlencoded"})
        limits = pathlib.Path(f"/proc/{site.process.pid}/limits").read_text()
        assert re.search(r"Max core file size +0 ", limits), "core dumps are on"
        site.stop()
    planted = [*CANARIES.values(), site.secret, *site.tokens.values()]
    # What a token's signature covers is no secret; its last third is.
    planted += [token.rsplit(".", 1)[1] for token in site.tokens.values()]
    for path, content in files(folder).items():
        if path.name in ("operator.secret", "ca.key", "root.key"):
            assert path.stat().st_mode & 0o077 == 0, f"{path} may be read by others"
            continue
        for canary in planted:
            assert canary.encode() not in content, f"'{canary[:16]}…' is in {path}"
    for path in (folder / "site").iterdir():
        if path.name.startswith("site.db"):
            assert path.stat().st_mode & 0o077 == 0, f"h08: {path} may be read by others"


CASES = [
    data_directory_in_use, data_directory_that_cannot_be_written, data_directory_that_is_a_file,
    disk_full_at_the_first_start, disk_full_while_it_runs, port_in_use, broken_configuration, damaged_database,
    root_key_missing_wrong_or_open, bucket_that_cannot_be_reached, database_that_cannot_be_reached,
    database_that_goes_and_comes_back, bucket_that_goes_and_comes_back,
    e10_h04_h08_no_value_is_printed_or_kept_in_the_open,
]

if __name__ == "__main__":
    main()
