"""Blob storage: 20 MiB up and down, in one piece, in ranges, and by pieces in parallel."""
import hashlib
import random
import uuid

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity import ManagedIdentityCredential
from azure.storage.blob import BlobServiceClient
from harness import SITE, case, main, refused

MIB = 1024 * 1024
CONTENT = random.Random(20).randbytes(20 * MIB)
MACHINE = ManagedIdentityCredential()
SERVICE = BlobServiceClient(SITE["account"], MACHINE)
BOX = SERVICE.create_container(f"box-{uuid.uuid4().hex[:8]}")


@case
def twenty_mebibytes_come_back_as_they_went():
    blob = BOX.get_blob_client("big.bin")
    blob.upload_blob(CONTENT)
    assert hashlib.sha256(blob.download_blob().readall()).digest() == hashlib.sha256(CONTENT).digest()
    properties = blob.get_blob_properties()
    assert properties.size == len(CONTENT) and properties.blob_type == "BlockBlob" and properties.etag


@case
def a_download_in_pieces_is_the_same_blob():
    pieces = BlobServiceClient(SITE["account"], MACHINE, max_single_get_size=MIB, max_chunk_get_size=MIB)
    blob = pieces.get_blob_client(BOX.container_name, "big.bin")
    assert blob.download_blob(max_concurrency=4).readall() == CONTENT


@case
def ranges_are_exact():
    blob = BOX.get_blob_client("big.bin")
    for offset, length in ((0, 1), (1, 4095), (MIB - 1, 2), (len(CONTENT) - 1, 1), (len(CONTENT) - 5, 100)):
        assert blob.download_blob(offset, length).readall() == CONTENT[offset:offset + length], (offset, length)
    refused(HttpResponseError, 416, lambda: blob.download_blob(len(CONTENT) + 10, 1).readall())


@case
def overwriting_must_be_asked_for():
    blob = BOX.get_blob_client("once.txt")
    blob.upload_blob(b"first")
    error = refused(ResourceExistsError, 409, lambda: blob.upload_blob(b"second", overwrite=False))
    assert error.error_code == "BlobAlreadyExists", error.error_code
    assert blob.download_blob().readall() == b"first"
    blob.upload_blob(b"second", overwrite=True)
    assert blob.download_blob().readall() == b"second"


@case
def an_empty_blob_is_a_blob():
    blob = BOX.get_blob_client("empty")
    blob.upload_blob(b"")
    assert blob.download_blob().readall() == b"" and blob.get_blob_properties().size == 0


@case
def names_keep_their_letters():
    name = "Ordner/Grüße & more/100% #1?.txt"
    BOX.upload_blob(name, b"x")
    assert BOX.download_blob(name).readall() == b"x"
    assert name in [blob.name for blob in BOX.list_blobs(name_starts_with="Ordner/")]


@case
def lists_go_on_over_pages():
    names = [f"many/{number:03}" for number in range(25)]
    for name in names:
        BOX.upload_blob(name, b"x")
    pages = [[blob.name for blob in page] for page in BOX.list_blobs("many/", results_per_page=10).by_page()]
    assert [len(page) for page in pages] == [10, 10, 5]
    assert sum(pages, []) == names


@case
def a_deleted_blob_is_gone():
    blob = BOX.get_blob_client("doomed")
    blob.upload_blob(b"x")
    blob.delete_blob()
    assert not blob.exists()
    error = refused(ResourceNotFoundError, 404, lambda: blob.download_blob())
    assert error.error_code == "BlobNotFound", error.error_code


@case
def metadata_and_content_type_are_kept():
    from azure.storage.blob import ContentSettings
    BOX.upload_blob("dressed", b"{}", metadata={"Owner": "tests", "lower": "too"}, content_settings=ContentSettings("application/json"))
    properties = BOX.get_blob_client("dressed").get_blob_properties()
    assert properties.content_settings.content_type == "application/json"
    assert properties.metadata == {"Owner": "tests", "lower": "too"}


@case
def a_lease_keeps_others_out():
    blob = BOX.get_blob_client("held")
    blob.upload_blob(b"one")
    lease = blob.acquire_lease(15)
    error = refused(HttpResponseError, 412, lambda: blob.upload_blob(b"two", overwrite=True))
    assert error.error_code == "LeaseIdMissing", error.error_code
    error = refused(HttpResponseError, 409, lambda: blob.acquire_lease(15))
    assert error.error_code == "LeaseAlreadyPresent", error.error_code
    blob.upload_blob(b"two", overwrite=True, lease=lease)
    lease.renew()
    lease.change(str(uuid.uuid4()))
    state = blob.get_blob_properties(lease=lease).lease
    assert (state.status, state.state, state.duration) == ("locked", "leased", "fixed"), state
    assert [b.lease.state for b in BOX.list_blobs("held")] == ["leased"]
    assert lease.break_lease(0) == 0
    blob.upload_blob(b"three", overwrite=True)
    assert blob.get_blob_properties().lease.state == "available"
    held = BOX.acquire_lease(-1)
    refused(HttpResponseError, 412, BOX.delete_container)
    held.release()


@case
def without_a_role_the_account_stays_closed():
    closed = BlobServiceClient(SITE["closed_account"], MACHINE)
    error = refused(HttpResponseError, 403, lambda: closed.create_container("mine"))
    assert error.error_code == "AuthorizationPermissionMismatch", error.error_code


main()
