// What the cases of the management SDKs share: clients of the site's own application, and how they are asked.
const { ClientSecretCredential } = require("@azure/identity");
const { SITE } = require("./harness.cjs");

const operator = new ClientSecretCredential(SITE.tenant_id, SITE.operator_client_id, SITE.operator_client_secret, {
  authorityHost: SITE.authority,
  disableInstanceDiscovery: true,
});

/** Where the resource manager is; the audience asked for follows from it. */
const client = (Kind) => new Kind(operator, SITE.subscription_id, { endpoint: SITE.resource_manager });

/** The rows of all pages. */
async function all(pages) {
  const found = [];
  for await (const one of pages) found.push(one);
  return found;
}

const names = async (pages) => (await all(pages)).map((one) => one.name).sort();

module.exports = { client, all, names, location: "local", fast: { updateIntervalInMs: 1 } };
