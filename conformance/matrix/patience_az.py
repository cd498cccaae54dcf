"""How long az CLI looks for an identity where nothing listens, by the class that `az login --identity` asks; what a process
of az takes to start is no part of it. Prints what patience.py prints. Run by az's own Python.

    patience_az.py nothing|away
"""
import sys
import time

import requests
from azure.cli.core.auth.msal_credentials import ManagedIdentityCredential

took = []
while not took or took[-1] >= 1 and (len(took) < 2 or len(took) < 3 and took[-1] < 2):
    began = time.monotonic()
    try:
        ManagedIdentityCredential().acquire_token(["https://management.azure.com/.default"])
    except requests.exceptions.ConnectionError:
        took.append(time.monotonic() - began)
    else:
        raise SystemExit("a token, where nothing listens")
print(f"az CLI\t{sys.argv[1]}\t{min(took):.2f}")
