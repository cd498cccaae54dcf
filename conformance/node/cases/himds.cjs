// A connected machine: no setting but the two variables of Azure Arc, no stored password.
const { DefaultAzureCredential, ManagedIdentityCredential } = require("@azure/identity");
const { SecretClient } = require("@azure/keyvault-secrets");
const { SITE, assert, test, main } = require("../harness.cjs");

assert.ok(process.env.IDENTITY_ENDPOINT && process.env.IMDS_ENDPOINT, "`countersign run` sets Arc's pair");

test("managed identity answers the challenge", async () => {
  const token = await new ManagedIdentityCredential().getToken("https://management.azure.com/.default");
  assert.equal(token.token.split(".").length, 3);
  assert.ok(token.expiresOnTimestamp > Date.now() + 3600_000);
});

test("default credential finds the machine", async () => {
  const token = await new DefaultAzureCredential().getToken("https://storage.azure.com/.default");
  assert.equal(token.token.split(".").length, 3);
});

test("default credential reads a secret", async () => {
  const client = new SecretClient(SITE.vault, new DefaultAzureCredential());
  assert.equal((await client.getSecret("scenario")).value, "the cake is in the kitchen");
});

main();
