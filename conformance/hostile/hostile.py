#!/usr/bin/env python3
"""Bad bytes at every door: nothing falls over, nothing is answered with 500, and good requests still work after it.

Run by `countersign run`. Takes good requests of every surface, breaks them in ways that people and scanners break them
(bytes flipped, cut, doubled, lengths that lie, headers twice, nulls, huge fields), sends them on connections of their own,
and looks at each answer. The corpus and the seed are printed, so a failure can be played again: HOSTILE_SEED=n hostile.py.
Bounded: HOSTILE_REQUESTS requests (default 4000), one at a time, to loopback.
"""
import json
import os
import random
import socket
import ssl
import sys
import urllib.parse

REQUESTS = int(os.environ.get("HOSTILE_REQUESTS", "4000"))
SEED = int(os.environ.get("HOSTILE_SEED", random.randrange(1 << 32)))
# A server may take its time to give up on a request that never ends; we do not wait for that.
PATIENCE_SECONDS = 1.5

with open(os.environ["COUNTERSIGN_READY_FILE"], encoding="utf-8") as _file:
    READY = json.load(_file)
with open(os.environ["COUNTERSIGN_PREPARED"], encoding="utf-8") as _file:
    SITE = json.load(_file)
TRUST = ssl.create_default_context(cafile=READY["ca_file"])
TRUST.set_alpn_protocols(["http/1.1"])


def main():
    print(f"HOSTILE_SEED={SEED}", flush=True)
    chance, doors = random.Random(SEED), list(corpus())
    for door in doors:
        status = door.send(door.good)
        assert status in door.fine, f"{door.name}: the good request is answered with {status}"
    wrong, answered = [], {}
    for number in range(REQUESTS):
        door = chance.choice(doors)
        request = broken(door.good, chance)
        try:
            status = door.send(request)
        except ConnectionRefusedError:
            wrong.append(f"#{number} {door.name}: nobody listens any more")
            break
        answered[status] = answered.get(status, 0) + 1
        if status is not None and status >= 500 and status not in (501, 505):
            wrong.append(f"#{number} {door.name}: {status} for {request[:600]!r}")
    for door in doors:
        if (status := door.send(door.good)) not in door.fine:
            wrong.append(f"{door.name}: afterwards the good request is answered with {status}")
    print("answers:", dict(sorted(answered.items(), key=lambda item: str(item[0]))), "(None: closed without one)")
    print("\n".join(wrong[:20]))
    sys.exit(1 if wrong else 0)


class Door:
    """One listener and one good request for it."""

    def __init__(self, name, url, method, path, headers, body=b"", fine=(200,)):
        self.name, self.url, self.fine = name, urllib.parse.urlsplit(url), fine
        port = "" if self.url.port in (None, 80, 443) else f":{self.url.port}"
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.url.hostname}{port}", *headers]
        if body or method in ("PUT", "POST", "PATCH"):
            lines.append(f"Content-Length: {len(body)}")
        lines.append("Connection: close")
        self.good = "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def send(self, request):
        """The status of the answer, or None where the connection ends without one."""
        secure = self.url.scheme == "https"
        connection = socket.create_connection((self.url.hostname, self.url.port or (443 if secure else 80)), 10)
        try:
            if secure:
                connection = TRUST.wrap_socket(connection, server_hostname=self.url.hostname)
            connection.settimeout(PATIENCE_SECONDS)
            connection.sendall(request)
            if not secure:
                # Half-closed, so that a request that was cut short need not be waited for. TLS cannot do that.
                connection.shutdown(socket.SHUT_WR)
            return status_of(connection)
        except OSError:
            # Reset, closed early, no answer in time, TLS alert: all of them are ways to hang up on bad bytes.
            return None
        finally:
            connection.close()


def status_of(connection):
    head = b""
    while len(head) < 12:
        more = connection.recv(4096)
        if not more:
            return None
        head += more
    version, status = head[:9], head[9:12]
    assert version.startswith(b"HTTP/1.") and status.isdigit(), f"no HTTP answer: {head[:80]!r}"
    return int(status)


def corpus():
    metadata, resource = "Metadata: true", urllib.parse.quote("https://vault.azure.net", safe="")
    yield Door("himds token", READY["himds"], "GET",
               f"/metadata/identity/oauth2/token?api-version=2020-06-01&resource={resource}", [metadata], fine=(401,))
    yield Door("himds answer", READY["himds"], "GET",
               f"/metadata/identity/oauth2/token?api-version=2020-06-01&resource={resource}",
               [metadata, "Authorization: Basic bm90LXRoZS1rZXk="], fine=(401, 403))
    yield Door("himds instance", READY["himds"], "GET", "/metadata/instance?api-version=2020-06-01", [metadata])
    yield Door("imds token", READY["imds"], "GET",
               f"/metadata/identity/oauth2/token?api-version=2018-02-01&resource={resource}", [metadata])
    yield from authority()
    yield from resources()


def authority():
    tenant, host = SITE["tenant_id"], SITE["authority"]
    yield Door("discovery", host, "GET", f"/{tenant}/v2.0/.well-known/openid-configuration", [])
    yield Door("keys", host, "GET", f"/{tenant}/discovery/v2.0/keys", [])
    form = urllib.parse.urlencode({
        "grant_type": "client_credentials", "client_id": SITE["operator_client_id"], "client_info": "1",
        "client_secret": SITE["operator_client_secret"], "scope": "https://vault.azure.net/.default"}).encode()
    yield Door("token", host, "POST", f"/{tenant}/oauth2/v2.0/token",
               ["Content-Type: application/x-www-form-urlencoded"], form)
    assertion = urllib.parse.urlencode({
        "grant_type": "client_credentials", "client_id": SITE["operator_client_id"],
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln",
        "scope": "https://vault.azure.net/.default"}).encode()
    yield Door("assertion", host, "POST", f"/{tenant}/oauth2/v2.0/token",
               ["Content-Type: application/x-www-form-urlencoded"], assertion, fine=(400, 401))


def resources():
    """Doors behind a token, with the operator's: past the check there is more to break."""
    arm, vault, blob = (bearer(audience) for audience in (
        "https://management.azure.com", "https://vault.azure.net", "https://storage.azure.com"))
    subscription, json_body = f"/subscriptions/{SITE['subscription_id']}", "Content-Type: application/json"
    yield Door("metadata endpoints", SITE["resource_manager"], "GET", "/metadata/endpoints?api-version=2022-09-01", [])
    yield Door("group put", SITE["resource_manager"], "PUT", f"{subscription}/resourcegroups/h?api-version=2021-04-01",
               [arm, json_body], b'{"location":"local","tags":{"a":"b"}}', fine=(200, 201))
    graph, directory = bearer("https://graph.microsoft.com"), SITE["graph"]
    yield Door("directory filter", directory, "GET", "/v1.0/groups?$filter=startswith(displayName,%27h%27)&$top=5", [graph])
    yield Door("directory write", directory, "POST", "/v1.0/groups", [graph, json_body],
               b'{"displayName":"h","mailNickname":"h","mailEnabled":false,"securityEnabled":true}', fine=(201,))
    yield Door("directory batch", directory, "POST", "/v1.0/$batch", [graph, json_body],
               b'{"requests":[{"id":"1","method":"GET","url":"/users?$top=1"},{"id":"2","method":"GET","url":"/me","dependsOn":["1"]}]}')
    yield Door("assignments", SITE["resource_manager"], "GET",
               f"{subscription}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01"
               "&$filter=atScope()", [arm])
    yield Door("secret get", SITE["vault"], "GET", "/secrets/scenario/?api-version=7.4", [vault])
    yield Door("secret set", SITE["vault"], "PUT", "/secrets/h?api-version=7.4", [vault, json_body],
               b'{"value":"x","tags":{"a":"b"},"attributes":{"enabled":true,"exp":4102444800}}')
    version = "x-ms-version: 2020-10-02"
    yield Door("container", SITE["account"], "PUT", "/hostile?restype=container", [blob, version], fine=(201, 409))
    yield Door("blob put", SITE["account"], "PUT", "/hostile/b", [
        blob, version, "x-ms-blob-type: BlockBlob", "x-ms-meta-a: b", "Content-MD5: XrY7u+Ae7tCTyyK7j1rNww=="],
        b"hello world", fine=(201,))
    yield Door("blob get", SITE["account"], "GET", "/hostile/b", [blob, version, "x-ms-range: bytes=2-5"], fine=(206,))
    yield Door("blob list", SITE["account"], "GET",
               "/hostile?restype=container&comp=list&prefix=a&delimiter=%2F&maxresults=5", [blob, version])


def bearer(audience):
    form = urllib.parse.urlencode({
        "grant_type": "client_credentials", "client_id": SITE["operator_client_id"],
        "client_secret": SITE["operator_client_secret"], "scope": f"{audience}/.default"}).encode()
    door = Door("", SITE["authority"], "POST", f"/{SITE['tenant_id']}/oauth2/v2.0/token",
                ["Content-Type: application/x-www-form-urlencoded"], form)
    connection = TRUST.wrap_socket(socket.create_connection((door.url.hostname, door.url.port or 443), 10),
                                   server_hostname=door.url.hostname)
    with connection:
        connection.sendall(door.good)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    text = answer[answer.index(b"{"):answer.rindex(b"}") + 1]
    return f"Authorization: Bearer {json.loads(text)['access_token']}"


NASTY = [b"\x00", b"\r\n", b"\n", b"%00", b"%2e%2e%2f", b"../", b"//", b"%", b"%zz", b"\xff\xfe", b"'", b'"', b";", b"{", b"[" * 2000,
         b"A" * 9000, b"-1", b"18446744073709551616", b"1e999", b"null", b"&", b"=", b"?", b"#", b"%u0041", b"\xed\xa0\x80",
         b"Transfer-Encoding: chunked\r\n", b"Content-Length: 7\r\n", b"Expect: 100-continue\r\n", b"Host: evil.example\r\n",
         b"X-Forwarded-For: 1.2.3.4\r\n", b"Range: bytes=5-2\r\n", b"x-ms-range: bytes=-\r\n", b"If-Match: *\r\n",
         b"If-Modified-Since: yesterday\r\n", b"Authorization: Bearer .\r\n", b"Upgrade: h2c\r\n"]


def broken(good, chance):
    """One to four wounds; each keeps most of the request intact, so that it gets past the first check."""
    request = bytearray(good)
    for _ in range(chance.randint(1, 4)):
        if not request:
            break
        at = chance.randrange(len(request))
        wound = chance.randrange(6)
        if wound == 0:
            request[at] = chance.randrange(256)
        elif wound == 1:
            request[at:at] = chance.choice(NASTY)
        elif wound == 2:
            del request[at:at + chance.choice((1, 2, 10, 100))]
        elif wound == 3:
            request[at:at] = request[at:at + chance.choice((1, 5, 50))]
        elif wound == 4:
            lines = bytes(request).split(b"\r\n")
            line = chance.randrange(len(lines))
            lines.insert(line, chance.choice(NASTY) if chance.random() < 0.5 else lines[chance.randrange(len(lines))])
            request = bytearray(b"\r\n".join(lines))
        else:
            fields = bytes(request).split(b"&")
            chance.shuffle(fields)
            request = bytearray(b"&".join(fields))
    return bytes(request)


if __name__ == "__main__":
    main()
