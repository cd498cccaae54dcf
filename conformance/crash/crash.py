#!/usr/bin/env python3
"""`kill -9` in the middle of a stream of writes loses nothing that was acknowledged.

    crash.py PROGRAM DATA [ROUNDS]

Starts `countersign up` on DATA, lets several writers set secrets and put blobs as fast as they can, kills the process at
a random moment, starts it again, and reads back everything that was answered with 2xx. Standard library only, one data
directory over all rounds, so that damage would add up.
"""
import atexit
import hashlib
import http.client
import json
import os
import pathlib
import random
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse

GROUP, VAULT, ACCOUNT, CONTAINER = "crash", "crashkv", "crashsa", "box"
BLOB_DATA_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
WRITERS_OF_EACH_KIND = 4
# Small blobs live in a row, large ones in a file: both roads must hold.
BLOB_SIZES = (10, 4_000, 70_000, 300_000)
START_SECONDS = 60


def main():
    program, data = sys.argv[1], pathlib.Path(sys.argv[2])
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 12
    seed = int(os.environ.get("CRASH_SEED", random.randrange(1 << 32)))
    print(f"CRASH_SEED={seed}", flush=True)
    chance = random.Random(seed)
    acknowledged = Acknowledged()
    for number in range(rounds):
        site = Site(program, data)
        if number == 0:
            site.prepare()
        acknowledged.check(site, f"r{number - 1}w")
        writers = [threading.Thread(target=write, args=(site, kind, f"r{number}w{index}", acknowledged))
                   for kind in (set_secret, put_blob) for index in range(WRITERS_OF_EACH_KIND)]
        for writer in writers:
            writer.start()
        time.sleep(chance.uniform(0.2, 1.2))
        site.kill()
        for writer in writers:
            writer.join()
        assert not acknowledged.refused, acknowledged.refused[0]
        print(f"round {number + 1}: {acknowledged.count()} writes acknowledged so far", flush=True)
    site = Site(program, data)
    acknowledged.check(site, "")
    site.stop()
    per_round = acknowledged.count() / rounds
    assert per_round > 20, f"only {per_round:.0f} writes a round: the kills hit nothing worth hitting"
    print(f"nothing lost: {acknowledged.count()} writes over {rounds} kills")


class Acknowledged:
    """What was answered with 2xx. A write that was cut off may be there or not; it is in neither list."""

    def __init__(self):
        self.lock = threading.Lock()
        self.secrets, self.blobs, self.refused = {}, {}, []

    def add(self, kind, name, value):
        with self.lock:
            (self.secrets if kind is set_secret else self.blobs)[name] = value

    def count(self):
        return len(self.secrets) + len(self.blobs)

    def check(self, site, prefix):
        """Reads back everything whose name starts so: the last round after each kill, all of it at the end."""
        client = site.client()
        for name, value in self.secrets.items():
            if not name.startswith(prefix):
                continue
            status, body = client.vault("GET", f"/secrets/{name}?api-version=7.4")
            assert status == 200, f"secret {name} is lost: {status} {body!r}"
            assert json.loads(body)["value"] == value, f"secret {name} changed"
        for name, digest in self.blobs.items():
            if not name.startswith(prefix):
                continue
            status, body = client.blob("GET", f"/{CONTAINER}/{name}")
            assert status == 200, f"blob {name} is lost: {status} {body!r}"
            assert hashlib.sha256(body).hexdigest() == digest, f"blob {name} changed"


def write(site, kind, prefix, acknowledged):
    """Writes until the site dies under it."""
    client, chance = site.client(), random.Random(prefix)
    for number in range(1_000_000):
        name = f"{prefix}n{number}"
        try:
            value = kind(client, chance, name)
        except (OSError, http.client.HTTPException):
            return
        except AssertionError as error:
            acknowledged.refused.append(error)
            return
        acknowledged.add(kind, name, value)


def set_secret(client, chance, name):
    value = chance.randbytes(50).hex()
    status, body = client.vault("PUT", f"/secrets/{name}?api-version=7.4", json.dumps({"value": value}).encode())
    assert status == 200, f"setting {name}: {status} {body!r}"
    return value


def put_blob(client, chance, name):
    content = chance.randbytes(chance.choice(BLOB_SIZES))
    status, body = client.blob("PUT", f"/{CONTAINER}/{name}", content, {"x-ms-blob-type": "BlockBlob"})
    assert status == 201, f"putting {name}: {status} {body!r}"
    return hashlib.sha256(content).hexdigest()


class Site:
    """One life of the process."""

    def __init__(self, program, data):
        ready_file = data / "ready.json"
        ready_file.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [program, "up", "--data", data / "site", "--https-port", "0", "--no-machine", "--listen", "127.0.0.1",
             "--ready-file", ready_file], stdin=subprocess.DEVNULL)
        # However this script ends, no server stays behind.
        atexit.register(self.process.kill)
        until = time.monotonic() + START_SECONDS
        while not ready_file.exists():
            assert self.process.poll() is None, f"the site ended with {self.process.returncode} instead of starting"
            assert time.monotonic() < until, "the site does not get ready"
            time.sleep(0.01)
        self.ready = json.loads(ready_file.read_text())
        self.trust = ssl.create_default_context(cafile=self.ready["ca_file"])
        self.secret = pathlib.Path(self.ready["operator"]["client_secret_file"]).read_text().strip()
        self.tokens = {}
        for audience in ("https://vault.azure.net", "https://storage.azure.com", "https://management.azure.com"):
            self.tokens[audience] = self.token(audience)

    def client(self):
        return Client(self)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=30)
        assert code == 0, f"SIGTERM ended it with {code}"

    def token(self, audience):
        form = urllib.parse.urlencode({
            "grant_type": "client_credentials", "client_id": self.ready["operator"]["client_id"],
            "client_secret": self.secret, "scope": f"{audience}/.default"}).encode()
        host = urllib.parse.urlsplit(self.ready["authority"]).hostname
        status, body = Client(self).ask(host, "POST", f"/{self.ready['tenant_id']}/oauth2/v2.0/token", form, {
            "Content-Type": "application/x-www-form-urlencoded"})
        assert status == 200, f"token: {status} {body!r}"
        return json.loads(body)["access_token"]

    def prepare(self):
        client, subscription = self.client(), f"/subscriptions/{self.ready['subscription_id']}"
        group, me = f"{subscription}/resourceGroups/{GROUP}", self.ready["operator"]["object_id"]
        account = f"{group}/providers/Microsoft.Storage/storageAccounts/{ACCOUNT}"
        where = {"location": self.ready["location"]}
        client.arm(group, "2021-04-01", where)
        client.arm(f"{group}/providers/Microsoft.KeyVault/vaults/{VAULT}", "2022-07-01", where | {"properties": {
            "tenantId": self.ready["tenant_id"], "sku": {"family": "A", "name": "standard"},
            "enableRbacAuthorization": False, "accessPolicies": [
                {"tenantId": self.ready["tenant_id"], "objectId": me, "permissions": {"secrets": ["all"]}}]}})
        client.arm(account, "2023-01-01", where | {"kind": "StorageV2", "sku": {"name": "Standard_LRS"}})
        role = f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/{BLOB_DATA_CONTRIBUTOR}"
        name = "11111111-2222-4333-8444-555555555555"
        client.arm(f"{account}/providers/Microsoft.Authorization/roleAssignments/{name}", "2022-04-01", {
            "properties": {"principalId": me, "principalType": "ServicePrincipal", "roleDefinitionId": role}})
        status, body = client.blob("PUT", f"/{CONTAINER}?restype=container", b"")
        assert status == 201, f"container: {status} {body!r}"


class Client:
    """One kept-alive connection for each host; names are ours, the address is loopback."""

    def __init__(self, site):
        self.site, self.connections = site, {}

    def vault(self, method, path, body=None):
        return self.ask(f"{VAULT}.{self.site.ready['vault_suffix']}", method, path, body, self.bearer("vault.azure.net"))

    def blob(self, method, path, body=None, headers=None):
        headers = (headers or {}) | self.bearer("storage.azure.com") | {"x-ms-version": "2020-10-02"}
        return self.ask(f"{ACCOUNT}.{self.site.ready['blob_suffix']}", method, path, body, headers)

    def arm(self, path, version, body):
        host = urllib.parse.urlsplit(self.site.ready["resource_manager"]).hostname
        status, answer = self.ask(host, "PUT", f"{path}?api-version={version}", json.dumps(body).encode(),
                                  self.bearer("management.azure.com"))
        assert status in (200, 201, 202), f"{path}: {status} {answer!r}"

    def bearer(self, audience):
        token = self.site.tokens[f"https://{audience}"]
        return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def ask(self, host, method, path, body, headers):
        # The suffixes of the ready file carry a port that is not 443.
        host = host.partition(":")[0]
        connection = self.connections.get(host)
        if connection is None:
            connection = self.connections[host] = Connection(self.site, host)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


class Connection(http.client.HTTPSConnection):
    """HTTPS to a name that no resolver knows."""

    def __init__(self, site, host):
        super().__init__(host, site.ready["https_port"], timeout=30, context=site.trust)

    def connect(self):
        plain = socket.create_connection(("127.0.0.1", self.port), self.timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self._context.wrap_socket(plain, server_hostname=self.host)


if __name__ == "__main__":
    main()
