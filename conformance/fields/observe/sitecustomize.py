"""Looks over the shoulder of Python programs that use `requests` (az and the management SDKs do): each answer of the resource
manager is written, as a line of JSON, to the file that CONFORMANCE_RECORD names. Nothing is changed for the program.

Python runs this file by itself where its folder is on PYTHONPATH.
"""
import json
import os
import sys
import urllib.parse

RECORD = os.environ.get("CONFORMANCE_RECORD")


def watch():
    import requests  # noqa: PLC0415 - only where there is something to watch

    send = requests.Session.send

    def watched(self, request, **settings):
        answer = send(self, request, **settings)
        if urllib.parse.urlsplit(request.url).hostname.startswith("management."):
            # Read once; whoever reads it after us is served from what was kept.
            seen = {"method": request.method, "url": request.url, "status": answer.status_code, "body": answer.text}
            line = json.dumps(seen) + "\n"
            # One write to a file opened for appending: commands that run side by side do not mix their lines.
            handle = os.open(RECORD, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(handle, line.encode())
            finally:
                os.close(handle)
        return answer

    requests.Session.send = watched


# `az` itself only starts Python once more.
STARTER = sys.orig_argv[1:] and sys.orig_argv[1].endswith("/az")
if RECORD and not STARTER:
    try:
        watch()
    except ImportError:
        pass  # a program without requests asks nobody
