"""Keys, signatures, copies and batches as the storage SDK for Python makes them, blocking and asynchronous."""
import asyncio
import datetime
import sys
import uuid

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceExistsError
from azure.storage.blob import (
    AccountSasPermissions, BlobClient, BlobSasPermissions, BlobServiceClient, ContainerClient, ContainerSasPermissions,
    ResourceTypes, StandardBlobTier, generate_account_sas, generate_blob_sas, generate_container_sas)
from azure.storage.blob.aio import BlobServiceClient as AsyncService
from harness import case, main, refused

ENDPOINT, ACCOUNT, MIB = sys.argv[1], "devstoreaccount1", 1 << 20
# Published with every storage SDK.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
CONNECTION = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={ENDPOINT};"
SERVICE = BlobServiceClient.from_connection_string(CONNECTION)
NAME = f"box-{uuid.uuid4().hex[:8]}"
BOX = SERVICE.create_container(NAME)
NOW = datetime.datetime.now(datetime.timezone.utc)
SOON, EARLIER = NOW + datetime.timedelta(hours=1), NOW - datetime.timedelta(hours=1)
NAMES = ["a b+ü.txt", "dir//x", "%41", "x" * 1024, "emoji😀", "q?&=#", "~(1)!$'*,;:@"]


@case
def names_and_metadata_are_signed_as_they_are_sent():
    for name in NAMES:
        BOX.upload_blob(name, name.encode(), metadata={"k_1": "v", "k1": "w", "K": "x  y"}, overwrite=True)
        assert BOX.download_blob(name).readall() == name.encode(), name
    assert sorted(blob.name for blob in BOX.list_blobs()) == sorted(NAMES)


@case
def a_large_blob_goes_in_blocks():
    blob = BlobClient.from_connection_string(CONNECTION, NAME, "big", max_single_put_size=MIB, max_block_size=MIB)
    blob.upload_blob(b"z" * (9 * MIB), max_concurrency=3)
    assert blob.download_blob(max_concurrency=3).readall() == b"z" * (9 * MIB)


@case
def a_refused_upload_says_why_at_once():
    # One PUT of 30 MiB that is answered before it has been read: a broken connection would be tried again for a minute.
    whole = BlobClient.from_connection_string(CONNECTION, NAME, "big", retry_total=0)
    error = refused(ResourceExistsError, 409, lambda: whole.upload_blob(b"y" * (30 * MIB)))
    assert error.error_code == "BlobAlreadyExists"


@case
def a_wrong_key_opens_nothing():
    wrong = BlobServiceClient.from_connection_string(CONNECTION.replace("Eby8", "Eby9"))
    error = refused(ClientAuthenticationError, 403, lambda: list(wrong.list_containers()))
    assert error.error_code == "AuthenticationFailed"


@case
def signatures_of_the_account():
    every = ResourceTypes(service=True, container=True, object=True)
    sas = generate_account_sas(ACCOUNT, KEY, every, AccountSasPermissions(read=True, write=True, list=True), SOON)
    signed = BlobServiceClient(ENDPOINT, credential=sas)
    assert NAME in [container.name for container in signed.list_containers()]
    signed.get_blob_client(NAME, "by signature").upload_blob(b"1")
    error = refused(HttpResponseError, 403, lambda: signed.get_blob_client(NAME, "by signature").delete_blob())
    assert error.error_code == "AuthorizationPermissionMismatch"


@case
def signatures_of_a_blob_and_of_a_container():
    read = BlobSasPermissions(read=True)
    sas = generate_blob_sas(ACCOUNT, NAME, NAMES[0], account_key=KEY, permission=read, expiry=SOON, start=EARLIER,
                            content_disposition="attachment")
    blob = BlobClient(ENDPOINT, NAME, NAMES[0], credential=sas)
    assert blob.get_blob_properties().content_settings.content_disposition == "attachment"
    assert blob.download_blob().readall() == NAMES[0].encode()
    refused(ClientAuthenticationError, 403, lambda: BlobClient(ENDPOINT, NAME, "big", credential=sas).download_blob())
    late = generate_blob_sas(ACCOUNT, NAME, NAMES[0], account_key=KEY, permission=read, expiry=EARLIER)
    refused(ClientAuthenticationError, 403, lambda: BlobClient(ENDPOINT, NAME, NAMES[0], credential=late).download_blob())
    listing = ContainerSasPermissions(read=True, list=True)
    sas = generate_container_sas(ACCOUNT, NAME, account_key=KEY, permission=listing, expiry=SOON)
    box = ContainerClient(ENDPOINT, NAME, credential=sas)
    assert "big" in [blob.name for blob in box.list_blobs()]


@case
def copies_stay_in_the_account():
    source, target = BOX.get_blob_client("big"), BOX.get_blob_client("copy of big")
    assert target.start_copy_from_url(source.url)["copy_status"] == "success"
    assert target.download_blob().readall() == source.download_blob().readall()
    sas = generate_blob_sas(ACCOUNT, NAME, "big", account_key=KEY, permission=BlobSasPermissions(read=True), expiry=SOON)
    signed = f"{source.url}?{sas}"
    BOX.get_blob_client("from url").upload_blob_from_url(signed)
    blocks = BOX.get_blob_client("from blocks")
    blocks.stage_block_from_url("MDAw", signed, source_offset=0, source_length=MIB)
    blocks.commit_block_list(["MDAw"])
    assert blocks.get_blob_properties().size == MIB
    elsewhere = "http://169.254.169.254/metadata/instance"
    refused(HttpResponseError, 403, lambda: target.start_copy_from_url(elsewhere))


@case
def tiers_and_tags_are_noted():
    blob = BOX.get_blob_client("noted")
    blob.upload_blob(b"x", standard_blob_tier=StandardBlobTier.COOL, tags={"k 1": "v=2", "d": ""})
    assert (blob.get_blob_tags(), blob.get_blob_properties().blob_tier) == ({"k 1": "v=2", "d": ""}, "Cool")
    blob.set_standard_blob_tier("Cold")
    blob.set_blob_tags({"other": "1"})
    assert (blob.get_blob_tags(), blob.get_blob_properties().blob_tier) == ({"other": "1"}, "Cold")
    assert [(b.name, b.tags) for b in BOX.list_blobs("noted", include=["tags"])] == [("noted", {"other": "1"})]


@case
def what_is_asked_before_work_is_answered():
    assert SERVICE.get_account_information()["account_kind"] == "StorageV2"
    assert SERVICE.get_service_properties()["delete_retention_policy"].enabled is False
    assert BOX.get_container_access_policy()["signed_identifiers"] == []


@case
def many_blobs_go_in_one_batch():
    doomed = [f"doomed/{number}" for number in range(20)]
    for name in doomed:
        BOX.upload_blob(name, b"x")
    answers = list(BOX.delete_blobs(*doomed, "never there", raise_on_any_failure=False))
    found = [answer.status_code for answer in answers]
    assert found == [202] * 20 + [404], found
    assert not list(BOX.list_blobs("doomed/"))


@case
def the_asynchronous_client_signs_alike():
    async def there_and_back():
        async with AsyncService.from_connection_string(CONNECTION) as service:
            box = service.get_container_client(NAME)
            for name in NAMES:
                await box.upload_blob(name, b"async", overwrite=True)
                assert await (await box.download_blob(name)).readall() == b"async", name
    asyncio.run(there_and_back())


if __name__ == "__main__":
    main()
