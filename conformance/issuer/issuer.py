"""Another party's token issuer, as a CI system or a cluster has one: discovery, keys, and tokens about whoever is asked for.

    issuer.py make DIR            a CA, a certificate for localhost and a signing key, by openssl
    issuer.py serve DIR           answers on a free port of loopback; DIR/issuer holds its address once it does
    issuer.py token DIR SUBJECT   a token about SUBJECT for Azure's token exchange

The site is told of the CA (`SSL_CERT_FILE`) and of the host (`COUNTERSIGN_PRIVATE_ISSUERS`) when it starts, so `make` comes
before it. Standard library only.
"""
import base64
import http.server
import json
import pathlib
import ssl
import subprocess
import sys
import time
import uuid

KEY_ID = "conformance-1"
AUDIENCE = "api://AzureADTokenExchange"
TOKEN_SECONDS = 300


def make(home):
    home.mkdir(parents=True, exist_ok=True)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=conformance issuer's CA",
            "-keyout", home / "ca.key", "-out", home / "ca.pem")
    openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", home / "tls.key",
            "-out", home / "tls.csr")
    (home / "tls.ext").write_text("subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n")
    openssl("x509", "-req", "-days", "2", "-in", home / "tls.csr", "-CA", home / "ca.pem", "-CAkey", home / "ca.key",
            "-CAcreateserial", "-extfile", home / "tls.ext", "-out", home / "tls.pem")
    openssl("genrsa", "-out", home / "signing.key", "2048")


def serve(home):
    modulus = openssl("rsa", "-in", home / "signing.key", "-noout", "-modulus").decode().strip().partition("=")[2]
    key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID, "n": encoded(bytes.fromhex(modulus)), "e": "AQAB"}

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            address = (home / "issuer").read_text()
            known = {"/.well-known/openid-configuration": {"issuer": address, "jwks_uri": f"{address}/keys"},
                     "/keys": {"keys": [key]}}
            content = json.dumps(known.get(self.path, {})).encode()
            self.send_response(200 if self.path in known else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(home / "tls.pem", home / "tls.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    # It listens already: whoever sees the file can ask. Renamed, so that nobody reads half of it.
    (home / "issuer.new").write_text(f"https://localhost:{server.server_port}")
    (home / "issuer.new").rename(home / "issuer")
    server.serve_forever()


def token(home, subject):
    now = int(time.time())
    head = {"alg": "RS256", "typ": "JWT", "kid": KEY_ID}
    claims = {"iss": (home / "issuer").read_text(), "sub": subject, "aud": AUDIENCE, "jti": str(uuid.uuid4()), "iat": now,
              "nbf": now, "exp": now + TOKEN_SECONDS}
    signed = ".".join(encoded(json.dumps(part).encode()) for part in (head, claims))
    signature = openssl("dgst", "-sha256", "-sign", home / "signing.key", given=signed.encode())
    print(f"{signed}.{encoded(signature)}")


def openssl(*words, given=None):
    done = subprocess.run(["openssl", *map(str, words)], input=given, capture_output=True)
    if done.returncode != 0:
        raise SystemExit(f"issuer: openssl {words[0]}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def encoded(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


if __name__ == "__main__":
    command, folder, *rest = sys.argv[1:]
    {"make": make, "serve": serve, "token": token}[command](pathlib.Path(folder), *rest)
