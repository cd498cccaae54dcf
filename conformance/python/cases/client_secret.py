"""A service principal that talks to the token authority itself."""
import os

from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential, DefaultAzureCredential
from azure.keyvault.secrets import SecretClient
from harness import SITE, case, main

SCOPE = "https://management.azure.com/.default"


def credential(secret=SITE["operator_client_secret"], tenant=SITE["tenant_id"], client=SITE["operator_client_id"]):
    return ClientSecretCredential(tenant, client, secret, authority=SITE["authority"], disable_instance_discovery=True)


@case
def one_argument_in_the_program():
    assert credential().get_token(SCOPE).token.count(".") == 2


@case
def tenant_adfs_needs_only_the_environment():
    os.environ.update(AZURE_AUTHORITY_HOST=SITE["authority"], AZURE_TENANT_ID="adfs",
                      AZURE_CLIENT_ID=SITE["operator_client_id"],
                      AZURE_CLIENT_SECRET=SITE["operator_client_secret"])
    client = SecretClient(SITE["vault"], DefaultAzureCredential())
    assert client.get_secret("scenario").value == "the cake is in the kitchen"


@case
def a_wrong_secret_is_refused_in_entra_words():
    try:
        credential(secret="not the secret").get_token(SCOPE)
    except ClientAuthenticationError as error:
        assert "AADSTS7000215" in str(error), error
        return
    raise AssertionError("a wrong secret was accepted")


@case
def an_unknown_application_is_refused_in_entra_words():
    try:
        credential(client="00000000-0000-0000-0000-00000000dead").get_token(SCOPE)
    except ClientAuthenticationError as error:
        assert "AADSTS700016" in str(error), error
        return
    raise AssertionError("an unknown application was accepted")


@case
def an_unknown_tenant_is_refused():
    try:
        credential(tenant="00000000-0000-0000-0000-00000000dead").get_token(SCOPE)
    except (ClientAuthenticationError, ValueError) as error:
        assert "AADSTS90002" in str(error) or "tenant" in str(error).lower(), error
        return
    raise AssertionError("an unknown tenant was accepted")


main()
