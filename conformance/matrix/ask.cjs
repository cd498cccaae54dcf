// Which source gives which identity to which client for Node.js; see ask.py for what is asked and answered.
const fs = require("node:fs");
const { DefaultAzureCredential, ManagedIdentityCredential, WorkloadIdentityCredential } = require("@azure/identity");
const { ManagedIdentityApplication } = require("@azure/msal-node");

const SOURCE = process.argv[2];
// One resource for each way to ask: a process keeps its tokens for whichever client comes next.
const SCOPE = "https://vault.azure.net/.default";
const SCOPE_OF_CHAIN = "https://storage.azure.com/.default";
const SCOPE_OF_VARIABLE = "https://graph.microsoft.com/.default";
const RESOURCE_OF_MSAL = "https://management.azure.com";
const { EXPECT_OWN, EXPECT_IDENTITY } = process.env;
const SITE = JSON.parse(fs.readFileSync(process.env.COUNTERSIGN_PREPARED, "utf8"));
const SELECTORS = [
  {},
  { clientId: SITE.identity_client_id },
  { objectId: SITE.identity_object_id },
  { resourceId: SITE.identity_resource_id },
];
const OURS = { disableInstanceDiscovery: true };

const owner = (token) => JSON.parse(Buffer.from(token.split(".")[1], "base64url").toString()).oid;

async function judged(what, expected, ask) {
  let token;
  try {
    token = await ask();
  } catch (error) {
    console.error(`${SOURCE}: ${what}: ${error.message.split("\n")[0].slice(0, 200)}`);
    return "no";
  }
  if (owner(token) !== expected) {
    console.error(`${SOURCE}: ${what}: a token of ${owner(token)} instead of ${expected}`);
    process.exit(1);
  }
  return "yes";
}

/** `selectors`: whether the client sends an id that it was given at all. */
async function row(client, managed, workload, fallback, selectors = true) {
  const cells = [];
  for (const selector of SELECTORS) {
    const chosen = Object.keys(selector).length > 0;
    if (chosen && !selectors) {
      cells.push("-");
    } else if (SOURCE !== "workload") {
      cells.push(await judged(`${client} ${Object.keys(selector)}`, chosen ? EXPECT_IDENTITY : EXPECT_OWN, () => managed({ ...selector })));
    } else {
      cells.push(chosen || !workload ? "-" : await judged(client, EXPECT_OWN, workload));
    }
  }
  cells.push(fallback ? await judged(`${client} default`, EXPECT_OWN, () => fallback(SCOPE_OF_CHAIN)) : "-");
  if (fallback && SOURCE !== "workload") {
    process.env.AZURE_CLIENT_ID = SITE.identity_client_id;
    cells.push(await judged(`${client} default by AZURE_CLIENT_ID`, EXPECT_IDENTITY, () => fallback(SCOPE_OF_VARIABLE)));
    delete process.env.AZURE_CLIENT_ID;
  } else {
    cells.push("-"); // to workload identity the variable is one of the source's own
  }
  console.log([client, SOURCE, ...cells].join("\t"));
}

async function msal({ clientId, objectId, resourceId }) {
  const ids = { userAssignedClientId: clientId, userAssignedObjectId: objectId, userAssignedResourceId: resourceId };
  const named = Object.fromEntries(Object.entries(ids).filter(([, id]) => id));
  const params = Object.keys(named).length ? { managedIdentityIdParams: named } : undefined;
  return (await new ManagedIdentityApplication(params).acquireToken({ resource: RESOURCE_OF_MSAL })).accessToken;
}

async function main() {
  await row(
    "Node.js: @azure/identity",
    async (selector) => (await new ManagedIdentityCredential(selector).getToken(SCOPE)).token,
    async () => (await new WorkloadIdentityCredential(OURS).getToken(SCOPE)).token,
    async (scope) => (await new DefaultAzureCredential(OURS).getToken(scope)).token,
  );
  if (SOURCE !== "workload") {
    // To Cloud Shell it sends no id, and says so in its log.
    await row("Node.js: @azure/msal-node", msal, undefined, undefined, SOURCE !== "cloud-shell");
  }
}

main();
