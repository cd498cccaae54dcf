"""CONNECT proxies that keep a list: the way out of a network that has no other.

    proxy.py serve LENT LIST           outside: a line `PORT STATUS HOST:PORT` in LIST for each request
    proxy.py lend LENT PORT KIND       inside: listens on 127.0.0.1:PORT there, and hands the listener out

A listener belongs to the network it was made in, so whoever accepts from it may stand in another. KIND is `open`,
`password` (wants NAME and WORD), `refuse`, `broken` (reaches nobody) or `mail` (is no proxy at all).
"""
import base64
import os
import socket
import sys
import threading

NAME, WORD = "machine", "open-sesame"
HEAD_MAX_BYTES = 16384


def lend(lent, port, kind):
    listener = socket.create_server(("127.0.0.1", int(port)))
    with socket.socket(socket.AF_UNIX) as outside:
        outside.connect(lent)
        socket.send_fds(outside, [kind.encode()], [listener.fileno()])
        assert outside.recv(1) == b"!", "nobody took the listener"


def serve(lent, written):
    with open(written, "w", encoding="utf-8", buffering=1) as log:
        with socket.socket(socket.AF_UNIX) as inside:
            inside.bind(f"{lent}.new")
            inside.listen()
            os.rename(f"{lent}.new", lent)
            while True:
                lender, _ = inside.accept()
                kind, (listener,), _, _ = socket.recv_fds(lender, 64, 1)
                start(accept, socket.socket(fileno=listener), kind.decode(), log)
                lender.send(b"!")
                lender.close()


def start(target, *arguments):
    threading.Thread(target=target, args=arguments, daemon=True).start()


def accept(listener, kind, log):
    while True:
        start(one, listener.accept()[0], listener.getsockname()[1], kind, log)


def one(client, port, kind, log):
    with client:
        if kind == "mail":
            client.sendall(b"220 mail.example.com ESMTP\r\n")
            return
        head = b""
        while b"\r\n\r\n" not in head and len(head) < HEAD_MAX_BYTES:
            piece = client.recv(4096)
            if not piece:
                return
            head += piece
        method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
        lines = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:] if ": " in line)
        status, onward = answer(method, target, lines, kind)
        log.write(f"{port} {status[:3]} {target}\n")
        client.sendall(f"HTTP/1.1 {status}\r\n\r\n".encode())
        if onward:
            with onward:
                start(pour, onward, client)
                pour(client, onward)


def answer(method, target, lines, kind):
    wanted = "basic " + base64.b64encode(f"{NAME}:{WORD}".encode()).decode().lower()
    if kind == "refuse" or method != "CONNECT":
        return "403 Forbidden", None
    if kind == "password" and lines.get("proxy-authorization") != wanted:
        return "407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"proxy\"", None
    if kind == "broken":
        return "502 Bad Gateway", None
    host, port = target.rsplit(":", 1)
    return "200 Connection established", socket.create_connection((host, int(port)))


def pour(source, sink):
    """Until either side is done, which ends both."""
    try:
        while piece := source.recv(65536):
            sink.sendall(piece)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


{"serve": serve, "lend": lend}[sys.argv[1]](*sys.argv[2:])
