"""The same machine as a virtual machine would see it: IMDS at 169.254.169.254, nothing in the environment."""
import os

for name in ("IDENTITY_ENDPOINT", "IMDS_ENDPOINT", "IDENTITY_HEADER", "AZURE_POD_IDENTITY_AUTHORITY_HOST"):
    os.environ.pop(name, None)

from azure.identity import DefaultAzureCredential, ManagedIdentityCredential  # noqa: E402
from azure.storage.blob import BlobServiceClient  # noqa: E402
from harness import SITE, case, main  # noqa: E402


@case
def managed_identity_asks_imds():
    assert ManagedIdentityCredential().get_token("https://management.azure.com/.default").token.count(".") == 2


@case
def default_credential_probes_and_finds_imds():
    assert DefaultAzureCredential().get_token("https://storage.azure.com/.default").token.count(".") == 2


@case
def a_blob_travels_with_an_imds_token():
    service = BlobServiceClient(SITE["account"], ManagedIdentityCredential())
    container = service.create_container("imds")
    container.upload_blob("hello.txt", b"from IMDS")
    assert container.download_blob("hello.txt").readall() == b"from IMDS"


main()
