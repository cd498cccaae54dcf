"""How long a client takes to say that there is no identity, and when it asks again: soon.py nothing|half-life."""
import sys
import time
from unittest import mock


def nothing():
    """Nothing listens anywhere: the default chain must be done within a second."""
    from azure.core.exceptions import ClientAuthenticationError
    from azure.identity import DefaultAzureCredential
    began = time.monotonic()
    try:
        DefaultAzureCredential().get_token("https://vault.azure.net/.default")
    except ClientAuthenticationError:
        took = time.monotonic() - began
        assert took < 1, f"{took:.1f} s until it said that there is no identity"
        print("within a second")


def half_life():
    """A day's token is used for half a day; then the agent is asked anew, and until it answers the old one serves."""
    import msal
    import requests

    class Counting(requests.Session):
        asked = 0

        def request(self, *arguments, **more):
            Counting.asked += 1
            return super().request(*arguments, **more)

    client = msal.ManagedIdentityClient(msal.SystemAssignedManagedIdentity(), http_client=Counting())

    def asked_at(hours):
        Counting.asked, now = 0, time.time
        with mock.patch("time.time", lambda: now() + hours * 3600):
            assert "access_token" in client.acquire_token_for_client(resource="https://vault.azure.net")
        return Counting.asked

    found = [asked_at(hours) for hours in (0, 0, 11, 13)]
    assert found == [2, 0, 0, 2], f"requests at 0, 0, 11 and 13 hours: {found}"
    print("at half-life")


{"nothing": nothing, "half-life": half_life}[sys.argv[1]]()
