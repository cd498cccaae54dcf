"""A connected machine: no setting but the two variables of Azure Arc, no stored password."""
import os
import time

from azure.identity import DefaultAzureCredential, ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient
from harness import SITE, case, main

assert "IDENTITY_ENDPOINT" in os.environ and "IMDS_ENDPOINT" in os.environ, "`countersign run` sets Arc's pair"


@case
def managed_identity_answers_the_challenge():
    token = ManagedIdentityCredential().get_token("https://management.azure.com/.default")
    assert token.token.count(".") == 2, "a JWT"
    assert token.expires_on > time.time() + 3600


@case
def default_credential_finds_the_machine():
    token = DefaultAzureCredential().get_token("https://vault.azure.net/.default")
    assert token.expires_on > time.time() + 3600


@case
def default_credential_reads_a_secret():
    client = SecretClient(SITE["vault"], DefaultAzureCredential())
    assert client.get_secret("scenario").value == "the cake is in the kitchen"


@case
def two_audiences_get_two_tokens():
    credential = ManagedIdentityCredential()
    one = credential.get_token("https://vault.azure.net/.default").token
    other = credential.get_token("https://storage.azure.com/.default").token
    assert one != other


main()
