"""HIMDS behind a counter, so that it is seen when a client asks.

    relay.py TARGET COUNT ADDRESS

Passes every request on to TARGET; COUNT holds how many there were, before each answer goes out. ADDRESS is written when
it listens. Where there is a file COUNT.life, tokens last for the seconds it holds, as if they had been got long before.
"""
import http.client
import json
import os
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TARGET, COUNT, ADDRESS = urllib.parse.urlsplit(sys.argv[1]), *sys.argv[2:4]


def write(name, text):
    with open(f"{name}.new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(f"{name}.new", name)


def shortened(status, body):
    try:
        with open(f"{COUNT}.life", encoding="utf-8") as file:
            life = int(file.read())
    except FileNotFoundError:
        return body
    if status != 200:
        return body
    return json.dumps(json.loads(body) | {"expires_in": str(life), "expires_on": str(int(time.time()) + life)}).encode()


class Relay(BaseHTTPRequestHandler):
    asked, lock = 0, threading.Lock()

    def do_GET(self):
        with Relay.lock:
            Relay.asked += 1
            write(COUNT, str(Relay.asked))
        onward = http.client.HTTPConnection(TARGET.netloc, timeout=30)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
        onward.request("GET", self.path, headers=headers)
        answer = onward.getresponse()
        body = shortened(answer.status, answer.read())
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Relay)
write(COUNT, "0")
write(ADDRESS, f"http://localhost:{server.server_port}")
server.serve_forever()
