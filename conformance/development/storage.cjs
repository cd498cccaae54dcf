// Keys, signatures, copies and batches as the storage SDK for Node.js makes them.
const assert = require("node:assert");
const { randomUUID } = require("node:crypto");
const {
  AccountSASPermissions, BlobSASPermissions, BlobServiceClient, StorageSharedKeyCredential,
  generateAccountSASQueryParameters, generateBlobSASQueryParameters,
} = require("@azure/storage-blob");

const endpoint = process.argv[2];
// Published with every storage SDK.
const KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const credential = new StorageSharedKeyCredential("devstoreaccount1", KEY);
const plain = { allowInsecureConnection: true };
const service = new BlobServiceClient(endpoint, credential, plain);
const name = `box-${randomUUID().slice(0, 8)}`;
const box = service.getContainerClient(name);
const hour = 3600 * 1000;
const [startsOn, expiresOn] = [new Date(Date.now() - hour), new Date(Date.now() + hour)];

const cases = {
  async namesAndMetadataAreSignedAsTheyAreSent() {
    for (const blob of ["a b+ü.txt", "dir//x", "x".repeat(1000), "emoji😀", "q?&=#"]) {
      const client = box.getBlockBlobClient(blob);
      await client.upload("hi", 2, { metadata: { Key_1: "v", key1: "w" }, blobHTTPHeaders: { blobContentLanguage: "en" } });
      assert.strictEqual((await client.downloadToBuffer()).toString(), "hi", blob);
    }
  },
  async aLargeBlobGoesInBlocks() {
    const content = Buffer.alloc(20 << 20, 1);
    const client = box.getBlockBlobClient("big");
    await client.uploadData(content, { blockSize: 4 << 20, maxSingleShotSize: 1 << 20, concurrency: 5 });
    assert((await client.downloadToBuffer()).equals(content));
  },
  async signaturesOpenWhatTheySay() {
    const permissions = BlobSASPermissions.parse("r");
    const of = { containerName: name, blobName: "big", permissions, startsOn, expiresOn, contentType: "text/x" };
    const answer = await fetch(`${box.getBlobClient("big").url}?${generateBlobSASQueryParameters(of, credential)}`);
    assert.deepStrictEqual([answer.status, answer.headers.get("content-type")], [200, "text/x"]);
    await answer.arrayBuffer();
    const all = { permissions: AccountSASPermissions.parse("rl"), services: "b", resourceTypes: "sco", expiresOn };
    const signed = new BlobServiceClient(`${endpoint}?${generateAccountSASQueryParameters(all, credential)}`, undefined, plain);
    const names = [];
    for await (const container of signed.listContainers()) names.push(container.name);
    assert(names.includes(name));
    await assert.rejects(signed.getContainerClient(name).delete(), { statusCode: 403 });
  },
  async copiesStayInTheAccount() {
    const copy = box.getBlobClient("copy");
    const poller = await copy.beginCopyFromURL(box.getBlobClient("big").url);
    assert.strictEqual((await poller.pollUntilDone()).copyStatus, "success");
    await assert.rejects(copy.beginCopyFromURL("http://169.254.169.254/metadata"), { statusCode: 403 });
  },
  async manyBlobsGoInOneBatch() {
    const doomed = [1, 2, 3].map((number) => box.getBlockBlobClient(`doomed/${number}`));
    for (const blob of doomed) await blob.upload("x", 1);
    const batch = await service.getBlobBatchClient().deleteBlobs(doomed);
    assert.deepStrictEqual([batch.subResponsesSucceededCount, batch.subResponsesFailedCount], [3, 0]);
  },
};

(async () => {
  let failed = 0;
  await box.create();
  for (const [title, run] of Object.entries(cases)) {
    try {
      await run();
      console.log(`ok      storage.cjs: ${title}`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED  storage.cjs: ${title}\n${error.stack}`);
    }
  }
  process.exit(failed === 0 ? 0 : 1);
})();
