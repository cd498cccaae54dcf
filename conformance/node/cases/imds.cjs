// The same machine as a virtual machine would see it: IMDS at 169.254.169.254, nothing in the environment.
for (const name of ["IDENTITY_ENDPOINT", "IMDS_ENDPOINT", "IDENTITY_HEADER", "AZURE_POD_IDENTITY_AUTHORITY_HOST"]) {
  delete process.env[name];
}
const { DefaultAzureCredential, ManagedIdentityCredential } = require("@azure/identity");
const { BlobServiceClient } = require("@azure/storage-blob");
const { SITE, assert, test, main } = require("../harness.cjs");

test("managed identity asks IMDS", async () => {
  const token = await new ManagedIdentityCredential().getToken("https://management.azure.com/.default");
  assert.equal(token.token.split(".").length, 3);
});

test("default credential probes and finds IMDS", async () => {
  const token = await new DefaultAzureCredential().getToken("https://vault.azure.net/.default");
  assert.equal(token.token.split(".").length, 3);
});

test("a blob travels with an IMDS token", async () => {
  const container = new BlobServiceClient(SITE.account, new ManagedIdentityCredential()).getContainerClient("node-imds");
  await container.createIfNotExists();
  await container.getBlockBlobClient("hello.txt").upload("from IMDS", 9);
  assert.equal((await container.getBlobClient("hello.txt").downloadToBuffer()).toString(), "from IMDS");
});

main();
