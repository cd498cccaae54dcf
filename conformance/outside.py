"""A site as a process of its own, and requests to it. Standard library only; used by the suites that start and kill sites."""
import atexit
import http.client
import json
import pathlib
import signal
import socket
import ssl
import subprocess
import time
import urllib.parse

GROUP, VAULT, ACCOUNT, CONTAINER = "crash", "crashkv", "crashsa", "box"
BLOB_DATA_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
AUDIENCES = ("https://vault.azure.net", "https://storage.azure.com", "https://management.azure.com")
START_SECONDS = 60


class Site:
    """One life of the process."""

    def __init__(self, program, data, flags=(), wrap=(), log=None, environment=None):
        self.data = pathlib.Path(data)
        ready_file = self.data / "ready.json"
        ready_file.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [*wrap, program, "up", "--data", self.data / "site", "--https-port", "0", "--no-machine", "--listen",
             "127.0.0.1", "--quiet", "--ready-file", ready_file, *flags], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env=environment)
        # However a suite ends, no server stays behind.
        atexit.register(self.process.kill)
        until = time.monotonic() + START_SECONDS
        while not ready_file.exists():
            assert self.process.poll() is None, f"the site ended with {self.process.returncode} instead of starting"
            assert time.monotonic() < until, "the site does not get ready"
            time.sleep(0.01)
        self.ready = json.loads(ready_file.read_text())
        # A wrapped site may live among mounts of its own: what it wrote is seen through its eyes.
        eyes = f"/proc/{self.process.pid}/root" if wrap else ""
        self.trust = ssl.create_default_context(cafile=eyes + self.ready["ca_file"])
        self.secret = pathlib.Path(eyes + self.ready["operator"]["client_secret_file"]).read_text().strip()
        self.tokens = {audience: self.token(audience) for audience in AUDIENCES}

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
        """A vault with access policies, an account and a container, all open to the operator."""
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

    def secret(self, name, value=None):
        """Sets a secret, or reads it."""
        path, body = f"/secrets/{name}?api-version=7.4", None if value is None else json.dumps({"value": value}).encode()
        return self.vault("GET" if body is None else "PUT", path, body)

    def blob(self, method, path, body=None, headers=None):
        headers = (headers or {}) | self.bearer("storage.azure.com") | {"x-ms-version": "2020-10-02"}
        return self.ask(f"{ACCOUNT}.{self.site.ready['blob_suffix']}", method, path, body, headers)

    def put_blob(self, name, content):
        return self.blob("PUT", f"/{CONTAINER}/{name}", content, {"x-ms-blob-type": "BlockBlob"})

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
        super().__init__(host, site.ready["https_port"], timeout=60, context=site.trust)

    def connect(self):
        plain = socket.create_connection(("127.0.0.1", self.port), self.timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self._context.wrap_socket(plain, server_hostname=self.host)
