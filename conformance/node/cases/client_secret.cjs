// A service principal that talks to the token authority itself.
const { ClientSecretCredential, DefaultAzureCredential } = require("@azure/identity");
const { SecretClient } = require("@azure/keyvault-secrets");
const { SITE, assert, test, main } = require("../harness.cjs");

const SCOPE = "https://management.azure.com/.default";
const options = { authorityHost: SITE.authority, disableInstanceDiscovery: true };
const credential = (secret) =>
  new ClientSecretCredential(SITE.tenant_id, SITE.operator_client_id, secret, options);

test("one argument in the program", async () => {
  const token = await credential(SITE.operator_client_secret).getToken(SCOPE);
  assert.equal(token.token.split(".").length, 3);
});

test("tenant adfs needs only the environment", async () => {
  Object.assign(process.env, {
    AZURE_AUTHORITY_HOST: SITE.authority,
    AZURE_TENANT_ID: "adfs",
    AZURE_CLIENT_ID: SITE.operator_client_id,
    AZURE_CLIENT_SECRET: SITE.operator_client_secret,
  });
  const token = await new DefaultAzureCredential().getToken(SCOPE);
  assert.equal(token.token.split(".").length, 3);
});

test("a wrong secret is refused in Entra's words", async () => {
  await assert.rejects(credential("not the secret").getToken(SCOPE), /AADSTS7000215/);
});

main();
