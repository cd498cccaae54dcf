"""Statuses of the addresses given, by the standard library alone; --aio: by asyncio's own streams."""
import asyncio
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request


def ask(url):
    try:
        return urllib.request.urlopen(url, timeout=20).status
    except urllib.error.HTTPError as error:
        return error.code


async def ask_aio(url):
    parts = urllib.parse.urlsplit(url)
    trust = ssl.create_default_context() if parts.scheme == "https" else None
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or (443 if trust else 80), ssl=trust)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {parts.hostname}\r\nConnection: close\r\n\r\n".encode())
    status = int((await asyncio.wait_for(reader.readline(), 20)).split()[1])
    writer.close()
    return status


async def all_aio(urls):
    return await asyncio.gather(*map(ask_aio, urls))


if sys.argv[1] == "--aio":
    print(*asyncio.run(all_aio(sys.argv[2:])))
else:
    print(*map(ask, sys.argv[1:]))
