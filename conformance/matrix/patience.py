"""How patient clients for Python are: what they print is CLIENT, what was looked at, and what was found.

    patience.py again       how many requests there are for a token at each of HOURS, by the counter COUNT of relay.py;
                            CLOCK is the file by which libfaketime moves the clock
    patience.py nothing     seconds until it is said that there is no identity, where nothing listens; the best of two or
                            three, because a program may be slow at first and the machine may have other work
    patience.py away        the same, where the source's variables say that there is one
"""
import asyncio
import os
import sys
import time

import msal
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import DefaultAzureCredential, ManagedIdentityCredential, aio

SCOPE, RESOURCE = "https://vault.azure.net/.default", "https://vault.azure.net"


def again(client, ask):
    found = []
    for hour in os.environ["HOURS"].split():
        with open(os.environ["CLOCK"], "w", encoding="utf-8") as file:
            file.write(f"+{hour}h")
        before = count()
        ask()
        found.append(str(count() - before))
    print("\t".join([client, "again", " ".join(found)]))


def count():
    with open(os.environ["COUNT"], encoding="utf-8") as file:
        return int(file.read())


def nothing(client, ask):
    took = []
    while not took or took[-1] >= 1 and (len(took) < 2 or len(took) < 3 and took[-1] < 2):
        began = time.monotonic()
        ask()
        took.append(time.monotonic() - began)
    print("\t".join([client, sys.argv[1], f"{min(took):.2f}"]))


def in_vain(ask):
    try:
        ask()
    except ClientAuthenticationError:
        return
    sys.exit("a token, where nothing listens")


def msal_asks(client):
    return client.acquire_token_for_client(resource=RESOURCE)


def new_msal():
    return msal.ManagedIdentityClient(msal.SystemAssignedManagedIdentity(), http_client=requests.Session())


def msal_in_vain():
    try:
        assert "access_token" not in msal_asks(new_msal()), "a token, where nothing listens"
    except requests.exceptions.ConnectionError:
        pass


async def aio_in_vain():
    async with aio.DefaultAzureCredential() as credential:
        try:
            await credential.get_token(SCOPE)
        except ClientAuthenticationError:
            return
    sys.exit("a token, where nothing listens")


if sys.argv[1] == "again":
    credential = ManagedIdentityCredential()
    again("Python: azure-identity", lambda: credential.get_token(SCOPE))
    loop = asyncio.new_event_loop()
    asynchronous = aio.ManagedIdentityCredential()
    again("Python: azure-identity, asynchronous", lambda: loop.run_until_complete(asynchronous.get_token(SCOPE)))
    loop.run_until_complete(asynchronous.close())
    application = new_msal()

    def token():
        assert "access_token" in msal_asks(application)
    again("Python: msal", token)
else:
    nothing("Python: azure-identity", lambda: in_vain(lambda: DefaultAzureCredential().get_token(SCOPE)))
    nothing("Python: azure-identity, asynchronous", lambda: asyncio.run(aio_in_vain()))
    nothing("Python: msal", msal_in_vain)
