"""The asynchronous SDKs: another HTTP client (aiohttp), another trust store, the same answers."""
import asyncio

from azure.identity.aio import DefaultAzureCredential
from azure.keyvault.secrets.aio import SecretClient
from azure.storage.blob.aio import BlobServiceClient
from harness import SITE, case, main


async def secret():
    async with DefaultAzureCredential() as who, SecretClient(SITE["vault"], who) as vault:
        return (await vault.get_secret("scenario")).value


async def many_at_once():
    async with DefaultAzureCredential() as who, BlobServiceClient(SITE["account"], who) as service:
        container = await service.create_container("asynchronous")
        await asyncio.gather(*(container.upload_blob(str(number), b"x" * number) for number in range(50)))
        return {blob.name: blob.size async for blob in container.list_blobs()}


@case
def a_secret():
    assert asyncio.run(secret()) == "the cake is in the kitchen"


@case
def fifty_uploads_at_once():
    assert asyncio.run(many_at_once()) == {str(number): number for number in range(50)}


main()
