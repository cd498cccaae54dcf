#!/usr/bin/env python3
"""A site is copied while it is written to, put back elsewhere, and checked: what was acknowledged before the copy began is
in it, and damage is named.

    backup.py PROGRAM DATA

Standard library only.
"""
import json
import pathlib
import shutil
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from outside import CONTAINER, Site  # noqa: E402

SIZES = (10, 4_000, 70_000, 3_000_000)


def main():
    program, data = sys.argv[1], pathlib.Path(sys.argv[2])
    here, there = data / "here", data / "there"
    here.mkdir()
    there.mkdir()
    site = Site(program, here)
    site.prepare()
    client = site.client()
    before = {f"before{size}": bytes([size % 251]) * size for size in SIZES}
    for name, content in before.items():
        assert client.put_blob(name, content)[0] == 201
        assert client.secret(name, name)[0] == 200
    assert client.blob("PUT", f"/{CONTAINER}/begun?comp=block&blockid=AAAA", b"x" * 100_000)[0] == 201

    def run(*words, fine=(0,), environment=None):
        done = subprocess.run([program, *words], capture_output=True, text=True, env=environment)
        assert done.returncode in fine, f"{words}: {done.returncode} {done.stdout} {done.stderr}"
        return done

    # Copied while it is written to and overwritten.
    stop, written = threading.Event(), []
    writer = threading.Thread(target=write, args=(site, stop, written))
    writer.start()
    while len(written) < 20:
        pass
    copy = data / "site.backup"
    run("backup", "--data", here / "site", copy)
    stop.set()
    writer.join()
    print(f"copied beside {len(written)} writes: {copy.stat().st_size} bytes", flush=True)
    assert copy.stat().st_mode & 0o777 == 0o600, "others may read the copy"
    assert "there already" in run("backup", "--data", here / "site", copy, fine=(3,)).stderr
    checked = json.loads(run("verify", "--data", here / "site", "--output", "json").stdout)
    assert checked["problems"] == [] and checked["secrets"] >= len(SIZES), checked
    site.stop()
    secret, root = (here / "site/operator.secret").read_bytes(), (here / "site/root.key").read_bytes()
    for private in (secret.strip(), root.strip(), (here / "site/ca.key").read_bytes()[40:80]):
        assert private not in copy.read_bytes(), "the copy holds something private in the clear"

    # Not without the root key, not with another, not over a site.
    assert "root key" in run("restore", "--data", there / "site", copy, fine=(2,)).stderr
    wrong = data / "wrong.key"
    wrong.write_text("00" * 32)
    assert "root key is not that" in run(
        "restore", "--data", there / "site", "--root-key-file", wrong, copy, fine=(1,)).stderr
    assert "there is a site" in run("restore", "--data", here / "site", copy, fine=(3,)).stderr
    cut = data / "cut.backup"
    cut.write_bytes(copy.read_bytes()[:copy.stat().st_size // 2])
    run("restore", "--data", there / "site", "--root-key-file", here / "site/root.key", cut, fine=(1,))
    left = sorted(path.name for path in (there / "site").iterdir())
    assert left == ["lock"], f"a restore that failed left {left}"

    run("restore", "--data", there / "site", "--root-key-file", here / "site/root.key", copy)
    assert (there / "site/operator.secret").read_bytes() == secret
    assert (there / "site/root.key").stat().st_mode & 0o777 == 0o600
    twin = Site(program, there)
    client = twin.client()
    assert twin.ready["tenant_id"] == site.ready["tenant_id"]
    for name, content in before.items():
        status, body = client.blob("GET", f"/{CONTAINER}/{name}")
        assert status == 200 and body == content, f"{name}: {status}, {len(body)} bytes"
        status, body = client.secret(name)
        assert status == 200 and json.loads(body)["value"] == name, f"{name}: {status} {body!r}"
    status, _ = client.blob("PUT", f"/{CONTAINER}/begun?comp=blocklist", b"<BlockList><Latest>AAAA</Latest></BlockList>")
    assert status == 201, "an upload that was begun goes on"
    twin.stop()

    # A bit that flips on the disk is found.
    large = max((there / "site/blobs/objects").glob("*/*"), key=lambda path: path.stat().st_size)
    content = bytearray(large.read_bytes())
    content[len(content) // 2] ^= 1
    large.write_bytes(content)
    found = run("verify", "--data", there / "site", fine=(1,))
    assert "in the container box has other content than was put there" in found.stdout, found.stdout
    damaged = run("backup", "--data", there / "site", data / "damaged.backup", fine=(1,))
    assert "1 objects are not what was put there" in damaged.stderr, damaged.stderr
    for folder in (here, there):
        assert not list((folder / "site").glob(".countersign-*")), "a copy of the database is left"
    shutil.rmtree(data)
    print("copied, put back, checked")


def write(site, stop, written):
    client, number = site.client(), 0
    while not stop.is_set():
        number += 1
        size = SIZES[number % len(SIZES)]
        status, body = client.put_blob(f"beside{number % 7}", bytes([number % 256]) * size)
        assert status == 201, f"{status} {body!r}"
        written.append(number)


main()
