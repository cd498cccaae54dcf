// Key Vault secrets with the SDK's default settings, so that it verifies our challenge.
const { ClientSecretCredential, ManagedIdentityCredential } = require("@azure/identity");
const { SecretClient } = require("@azure/keyvault-secrets");
const { SITE, assert, test, refused, main } = require("../harness.cjs");

const operator = new ClientSecretCredential(SITE.tenant_id, SITE.operator_client_id, SITE.operator_client_secret, {
  authorityHost: SITE.authority,
  disableInstanceDiscovery: true,
});
const vault = new SecretClient(SITE.vault, operator);
const machine = new ManagedIdentityCredential();

test("set and get keep every byte", async () => {
  const value = 'zwölf Boxkämpfer 🐹 "quoted" \\ \n second line';
  const made = await vault.setSecret("node-text", value, { contentType: "text/plain", tags: { owner: "tests" } });
  const found = await vault.getSecret("node-text");
  assert.equal(found.value, value);
  assert.equal(found.properties.version, made.properties.version);
  assert.deepEqual({ ...found.properties.tags }, { owner: "tests" });
});

test("an old version stays readable", async () => {
  const first = await vault.setSecret("node-versioned", "one");
  await vault.setSecret("node-versioned", "two");
  assert.equal((await vault.getSecret("node-versioned")).value, "two");
  const old = await vault.getSecret("node-versioned", { version: first.properties.version });
  assert.equal(old.value, "one");
  const versions = [];
  for await (const item of vault.listPropertiesOfSecretVersions("node-versioned")) versions.push(item.version);
  assert.equal(versions.length, 2);
});

test("a deleted secret is gone", async () => {
  await vault.setSecret("node-doomed", "x");
  const poller = await vault.beginDeleteSecret("node-doomed");
  assert.equal((await poller.pollUntilDone()).name, "node-doomed");
  assert.equal((await refused(404, () => vault.getSecret("node-doomed"))).code, "SecretNotFound");
});

test("the machine may read but not write", async () => {
  const reader = new SecretClient(SITE.vault, machine);
  assert.equal((await reader.getSecret("scenario")).value, "the cake is in the kitchen");
  await refused(403, () => reader.setSecret("from-machine", "x"));
});

test("without a role the vault stays closed", async () => {
  await refused(403, () => new SecretClient(SITE.closed_vault, machine).getSecret("hidden"));
});

main();
