"""User-assigned identities of the machine: asked for by each kind of id, on HIMDS as the environment has it."""
import base64
import json

from azure.identity import DefaultAzureCredential, ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient
from harness import SITE, case, main

SCOPE = "https://vault.azure.net/.default"


def claims(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


@case
def each_kind_of_id_finds_the_identity():
    for credential in (
        ManagedIdentityCredential(client_id=SITE["identity_client_id"]),
        ManagedIdentityCredential(identity_config={"object_id": SITE["identity_object_id"]}),
        ManagedIdentityCredential(identity_config={"resource_id": SITE["identity_resource_id"]}),
    ):
        said = claims(credential.get_token(SCOPE).token)
        assert said["oid"] == SITE["identity_object_id"] and said["appid"] == SITE["identity_client_id"], said
        assert "/userassignedidentities/" in said["xms_mirid"].lower(), said
        assert said["xms_az_rid"].lower().endswith(SITE["machine_name"].lower()), said


@case
def without_an_id_it_is_the_machines_own():
    said = claims(ManagedIdentityCredential().get_token(SCOPE).token)
    assert said["oid"] == SITE["machine_principal_id"], said


@case
def the_default_credential_is_told_by_its_argument():
    credential = DefaultAzureCredential(managed_identity_client_id=SITE["identity_client_id"])
    assert SecretClient(SITE["vault"], credential).get_secret("scenario").value == "the cake is in the kitchen"


main()
