// Blob storage: 20 MiB up and down, in one piece and in ranges.
const { createHash, randomBytes } = require("node:crypto");
const { ManagedIdentityCredential } = require("@azure/identity");
const { BlobServiceClient } = require("@azure/storage-blob");
const { SITE, assert, test, refused, main } = require("../harness.cjs");

const MIB = 1024 * 1024;
const content = randomBytes(20 * MIB);
const machine = new ManagedIdentityCredential();
const box = new BlobServiceClient(SITE.account, machine).getContainerClient(`node-${randomBytes(4).toString("hex")}`);
const digest = (bytes) => createHash("sha256").update(bytes).digest("hex");

test("twenty mebibytes come back as they went", async () => {
  await box.create();
  const blob = box.getBlockBlobClient("big.bin");
  await blob.uploadData(content);
  assert.equal(digest(await blob.downloadToBuffer()), digest(content));
  assert.equal((await blob.getProperties()).contentLength, content.length);
});

test("a download in pieces is the same blob", async () => {
  const pieces = await box.getBlobClient("big.bin").downloadToBuffer(0, undefined, { blockSize: MIB, concurrency: 4 });
  assert.equal(digest(pieces), digest(content));
});

test("ranges are exact", async () => {
  const blob = box.getBlobClient("big.bin");
  for (const [offset, length] of [[0, 1], [MIB - 1, 2], [content.length - 1, 1]]) {
    const found = await blob.downloadToBuffer(offset, length);
    assert.deepEqual(found, content.subarray(offset, offset + length));
  }
});

test("a stream arrives whole", async () => {
  const answer = await box.getBlobClient("big.bin").download();
  const hash = createHash("sha256");
  for await (const piece of answer.readableStreamBody) hash.update(piece);
  assert.equal(hash.digest("hex"), digest(content));
});

test("a condition is kept", async () => {
  const blob = box.getBlockBlobClient("once.txt");
  await blob.upload("first", 5, { conditions: { ifNoneMatch: "*" } });
  const error = await refused(409, () => blob.upload("second", 6, { conditions: { ifNoneMatch: "*" } }));
  assert.equal(error.code, "BlobAlreadyExists");
  assert.equal((await blob.downloadToBuffer()).toString(), "first");
});

test("names keep their letters and lists find them", async () => {
  const name = "Ordner/Grüße & more/100% #1?.txt";
  await box.getBlockBlobClient(name).upload("x", 1);
  const found = [];
  for await (const blob of box.listBlobsFlat({ prefix: "Ordner/" })) found.push(blob.name);
  assert.deepEqual(found, [name]);
});

test("a deleted blob is gone", async () => {
  const blob = box.getBlockBlobClient("doomed");
  await blob.upload("x", 1);
  await blob.delete();
  assert.equal(await blob.exists(), false);
  assert.equal((await refused(404, () => blob.download())).code, "BlobNotFound");
});

test("without a role the account stays closed", async () => {
  const closed = new BlobServiceClient(SITE.closed_account, machine).getContainerClient("mine");
  assert.equal((await refused(403, () => closed.create())).code, "AuthorizationPermissionMismatch");
});

main();
