#!/usr/bin/env python3
"""`kill -9` in the middle of a stream of writes loses nothing that was acknowledged, and what was made is on record.

    crash.py PROGRAM DATA [ROUNDS]

First a site is killed while it starts for the first time, at many moments: the next start must find a whole site. Then
`countersign up` runs on DATA, several writers set secrets, put blobs (small ones in a row, large ones in a file), commit
block lists, write over one name and delete again as fast as they can; the process is killed at a random moment, started
again, and everything that was answered with 2xx is read back. Standard library only, one data directory over all rounds,
so that damage would add up.

CRASH_FLAGS (words, for example `--database postgres://… --blobs s3://…`) are given to every start. CRASH_PSQL names a psql
that reads the audit log of such a database; with SQLite the file itself is read.
"""
import base64
import hashlib
import http.client
import json
import os
import pathlib
import random
import shlex
import sqlite3
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from outside import CONTAINER, Site  # noqa: E402

WRITERS_OF_EACH_KIND = 2
# Small blobs live in a row, large ones in a file: both roads must hold.
BLOB_SIZES = (10, 4_000, 70_000, 300_000)
FLAGS = shlex.split(os.environ.get("CRASH_FLAGS", ""))
FIRST_STARTS = int(os.environ.get("CRASH_FIRST_STARTS", "20"))


def main():
    program, data = sys.argv[1], pathlib.Path(sys.argv[2])
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 12
    seed = int(os.environ.get("CRASH_SEED", random.randrange(1 << 32)))
    print(f"CRASH_SEED={seed}", flush=True)
    chance = random.Random(seed)
    if not FLAGS:
        first_starts(program, data, chance)
    known = Known()
    for number in range(rounds):
        site = Site(program, data, FLAGS)
        if number == 0:
            site.prepare()
        known.check(site, f"r{number - 1}w")
        writers = [Writer(site, kind, f"r{number}w{kind.__name__}{index}", known, seed)
                   for kind in (Secrets, Blobs, Blocks, Rewrites) for index in range(WRITERS_OF_EACH_KIND)]
        for writer in writers:
            writer.start()
        time.sleep(chance.uniform(0.2, 1.2))
        site.kill()
        for writer in writers:
            writer.join()
        assert not known.refused, known.refused[0]
        print(f"round {number + 1}: {known.acknowledged} writes acknowledged so far", flush=True)
    site = Site(program, data, FLAGS)
    known.check(site, "")
    known.check_audit(data / "site/site.db")
    assert FLAGS or not list((data / "site/blobs/incoming").iterdir()), "unfinished uploads are left"
    site.stop()
    assert known.acknowledged / rounds > 20, "so few writes a round: the kills hit nothing worth hitting"
    print(f"nothing lost: {known.acknowledged} writes over {rounds} kills")


def first_starts(program, data, chance):
    """Killed at some moment of its first start, a directory starts the next time, with one tenant and one owner."""
    began = time.monotonic()
    (data / "whole").mkdir()
    Site(program, data / "whole").stop()
    whole = time.monotonic() - began
    for number in range(FIRST_STARTS):
        folder = data / f"first{number}"
        folder.mkdir()
        first = subprocess.Popen(
            [program, "up", "--data", folder / "site", "--https-port", "0", "--no-machine", "--listen", "127.0.0.1", "-q"],
            stdin=subprocess.DEVNULL)
        time.sleep(chance.uniform(0, whole))
        first.kill()
        first.wait()
        site = Site(program, folder)
        site.stop()
        with sqlite3.connect(folder / "site/site.db") as database:
            counts = [database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
                      for table in ("tenants", "subscriptions", "principals", "credentials", "assignments")]
        assert counts == [1] * 5, f"tenants, subscriptions, principals, credentials, assignments: {counts}"
    print(f"{FIRST_STARTS} first starts killed, each site whole afterwards", flush=True)


class Known:
    """What may be found of each name: what was acknowledged last, and what was on its way when the site died."""

    def __init__(self):
        self.lock = threading.Lock()
        self.secrets, self.blobs, self.refused = {}, {}, []
        self.acknowledged = self.secrets_set = self.secrets_read = self.blobs_written = 0

    def intend(self, names, name, value):
        with self.lock:
            names[name] = (names.get(name, (None,))[0], value)

    def acknowledge(self, names, name, value):
        with self.lock:
            names[name] = (value,)
            self.acknowledged += 1
            self.secrets_set += names is self.secrets
            self.blobs_written += names is self.blobs

    def check(self, site, prefix):
        """Reads back everything whose name starts so: the last round after each kill, all of it at the end."""
        client = site.client()
        for name, fine in self.secrets.items():
            if name.startswith(prefix):
                status, body = client.secret(name)
                found = json.loads(body)["value"] if status == 200 else None
                assert found in fine, f"secret {name} is lost or changed: {status} {body!r}"
                self.secrets_read += status == 200
        for name, fine in self.blobs.items():
            if name.startswith(prefix):
                status, body = client.blob("GET", f"/{CONTAINER}/{name}")
                assert status in (200, 404), f"blob {name}: {status} {body!r}"
                found = hashlib.sha256(body).hexdigest() if status == 200 else None
                assert found in fine, f"blob {name} is lost or changed: {status}, {len(body)} bytes"

    def check_audit(self, database):
        """Nothing was set, read or written that is not on record; and no version of a secret came without its record."""
        done = "SELECT COUNT(*) FROM audit WHERE outcome = 'done' AND action "
        versions = count("SELECT COUNT(*) FROM secret_versions", database)
        if versions is None:
            return
        sets = count(done + "= 'secrets set'", database)
        assert sets == versions >= self.secrets_set, f"{versions} versions, {sets} records, {self.secrets_set} answers"
        reads = count(done + "= 'secrets get'", database)
        assert reads >= self.secrets_read, f"{self.secrets_read} secrets read, {reads} records"
        writes = count(done + "LIKE '%/containers/blobs/%'", database)
        assert writes >= self.blobs_written, f"{self.blobs_written} blobs written, {writes} records"
        print(f"on record: {sets} secrets set, {reads} read, {writes} writes of blobs")


def count(sql, database):
    if "--database" not in FLAGS:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            return connection.execute(sql).fetchone()[0]
    if "CRASH_PSQL" not in os.environ:
        return None
    address = FLAGS[FLAGS.index("--database") + 1]
    answer = subprocess.run([os.environ["CRASH_PSQL"], "-Atc", sql, address], check=True, capture_output=True, text=True)
    return int(answer.stdout)


class Writer(threading.Thread):
    """Writes until the site dies under it."""

    def __init__(self, site, kind, prefix, known, seed):
        super().__init__()
        self.known, self.prefix = known, prefix
        self.kind = kind(site.client(), random.Random(f"{seed} {prefix}"), known)

    def run(self):
        for number in range(1_000_000):
            try:
                self.kind.write(self.prefix, number)
            except (OSError, http.client.HTTPException):
                return
            except AssertionError as error:
                self.known.refused.append(error)
                return


class Kind:
    def __init__(self, client, chance, known):
        self.client, self.chance, self.known = client, chance, known

    def change(self, names, name, value, request, fine):
        """One write: intended, sent, acknowledged."""
        self.known.intend(names, name, value)
        status, body = request()
        assert status == fine, f"{name}: {status} {body!r}"
        self.known.acknowledge(names, name, value)


class Secrets(Kind):
    def write(self, prefix, number):
        name, value = f"{prefix}n{number}", self.chance.randbytes(50).hex()
        self.change(self.known.secrets, name, value, lambda: self.client.secret(name, value), 200)


class Blobs(Kind):
    def write(self, prefix, number, name=None):
        name, content = name or f"{prefix}n{number}", self.chance.randbytes(self.chance.choice(BLOB_SIZES))
        digest = hashlib.sha256(content).hexdigest()
        self.change(self.known.blobs, name, digest, lambda: self.client.put_blob(name, content), 201)


class Blocks(Kind):
    def write(self, prefix, number):
        name = f"{prefix}n{number}"
        blocks = [self.chance.randbytes(self.chance.choice((1, 100_000))) for _ in range(3)]
        ids = [base64.b64encode(b"%06d" % index).decode() for index in range(3)]
        for id, block in zip(ids, blocks):
            status, body = self.client.blob("PUT", f"/{CONTAINER}/{name}?comp=block&blockid={id}", block)
            assert status == 201, f"block of {name}: {status} {body!r}"
        listed = "<BlockList>" + "".join(f"<Latest>{id}</Latest>" for id in ids) + "</BlockList>"
        digest = hashlib.sha256(b"".join(blocks)).hexdigest()
        commit = lambda: self.client.blob("PUT", f"/{CONTAINER}/{name}?comp=blocklist", listed.encode())  # noqa: E731
        self.change(self.known.blobs, name, digest, commit, 201)


class Rewrites(Blobs):
    """Writes over one name, and now and then removes it."""

    def write(self, prefix, number):
        if number % 5 < 4:
            super().write(prefix, number, prefix)
        else:
            delete = lambda: self.client.blob("DELETE", f"/{CONTAINER}/{prefix}")  # noqa: E731
            self.change(self.known.blobs, prefix, None, delete, 202)


if __name__ == "__main__":
    main()
