// Every kind of resource through its own management SDK: made, listed, shown, changed and deleted.
const { randomUUID } = require("node:crypto");
const { AuthorizationManagementClient } = require("@azure/arm-authorization");
const { HybridComputeManagementClient } = require("@azure/arm-hybridcompute");
const { KeyVaultManagementClient } = require("@azure/arm-keyvault");
const { ManagementLockClient } = require("@azure/arm-locks");
const { ManagedServiceIdentityClient } = require("@azure/arm-msi");
const { ResourceManagementClient } = require("@azure/arm-resources");
const { StorageManagementClient } = require("@azure/arm-storage");
const { SITE, assert, test, refused, main } = require("../harness.cjs");
const { client, names, location, fast } = require("../manager.cjs");

const resources = client(ResourceManagementClient);
const roles = client(AuthorizationManagementClient);
const locks = client(ManagementLockClient);
const group = "managed-by-node";
const groupId = `/subscriptions/${SITE.subscription_id}/resourceGroups/${group}`;

test("groups", async () => {
  await resources.resourceGroups.createOrUpdate(group, { location, tags: { made: "by node" } });
  assert.deepEqual((await resources.resourceGroups.update(group, { tags: { made: "again" } })).tags, { made: "again" });
  const filter = "tagName eq 'made' and tagValue eq 'again'";
  assert.deepEqual(await names(resources.resourceGroups.list({ filter })), [group]);
  assert.equal((await resources.resourceGroups.get("Managed-By-Node")).properties.provisioningState, "Succeeded");
  assert.equal((await resources.resourceGroups.checkExistence("never-there")).body, false);
});

test("identities", async () => {
  const { userAssignedIdentities: of, federatedIdentityCredentials: trusts } = client(ManagedServiceIdentityClient);
  const made = await of.createOrUpdate(group, "nodeid", { location });
  assert.equal(made.tenantId, SITE.tenant_id);
  assert.equal((await of.update(group, "nodeid", { tags: { a: "b" } })).principalId, made.principalId);
  assert.deepEqual((await of.get(group, "NodeId")).tags, { a: "b" });
  assert.deepEqual(await names(of.listByResourceGroup(group)), ["nodeid"]);
  const trust = { issuer: "https://issuer.example", subject: "s", audiences: ["api://AzureADTokenExchange"] };
  assert.equal((await trusts.createOrUpdate(group, "nodeid", "trust", trust)).subject, "s");
  assert.deepEqual(await names(trusts.list(group, "nodeid")), ["trust"]);
  await trusts.delete(group, "nodeid", "trust");
  await of.delete(group, "nodeid");
  await refused(404, () => of.get(group, "nodeid"));
});

test("machines", async () => {
  const { machines: of, machineExtensions: extensions } = client(HybridComputeManagementClient);
  const id = `${groupId}/providers/Microsoft.HybridCompute/machines/nodemachine`;
  await resources.resources.beginCreateOrUpdateByIdAndWait(id, "2024-07-10", { location, properties: {} }, fast);
  await resources.resources.beginUpdateByIdAndWait(id, "2024-07-10", { tags: { a: "b" } }, fast);
  assert.deepEqual((await of.get(group, "nodemachine")).tags, { a: "b" });
  assert.equal((await of.get(group, "nodemachine")).properties.provisioningState, "Succeeded");
  assert.deepEqual(await names(of.listByResourceGroup(group)), ["nodemachine"]);
  assert.ok((await names(of.listBySubscription())).includes(SITE.machine_name));
  const script = { location, properties: { publisher: "Microsoft.Azure.Extensions", type: "CustomScript", settings: { a: 1 } } };
  await extensions.beginCreateOrUpdateAndWait(group, "nodemachine", "script", script, fast);
  assert.deepEqual((await extensions.get(group, "nodemachine", "script")).properties.settings, { a: 1 });
  assert.deepEqual(await names(extensions.list(group, "nodemachine")), ["script"]);
  await extensions.beginDeleteAndWait(group, "nodemachine", "script", fast);
  await of.delete(group, "nodemachine");
  await refused(404, () => of.get(group, "nodemachine"));
});

test("vaults", async () => {
  const { vaults: of } = client(KeyVaultManagementClient);
  const properties = { tenantId: SITE.tenant_id, sku: { family: "A", name: "standard" }, enableRbacAuthorization: true };
  const made = await of.createOrUpdate(group, "nodemadekv", { location, properties }, fast);
  assert.match(made.properties.vaultUri, /^https:\/\/nodemadekv\./);
  assert.deepEqual((await of.update(group, "nodemadekv", { tags: { a: "b" } })).tags, { a: "b" });
  assert.equal((await of.get(group, "nodemadekv")).properties.enableRbacAuthorization, true);
  assert.deepEqual(await names(of.listByResourceGroup(group)), ["nodemadekv"]);
  const check = { name: "nodemadekv", type: "Microsoft.KeyVault/vaults" };
  assert.equal((await of.checkNameAvailability(check)).nameAvailable, false);
  await of.delete(group, "nodemadekv");
  assert.ok((await names(of.listDeleted())).includes("nodemadekv"));
  await of.purgeDeleted("nodemadekv", location, fast);
  await refused(404, () => of.getDeleted("nodemadekv", location));
});

test("accounts", async () => {
  const { storageAccounts: of, blobContainers: boxes } = client(StorageManagementClient);
  const made = await of.create(group, "nodemadesa", { location, kind: "StorageV2", sku: { name: "Standard_LRS" } }, fast);
  assert.match(made.properties?.primaryEndpoints?.blob ?? made.primaryEndpoints.blob, /^https:\/\/nodemadesa\.blob\./);
  assert.deepEqual((await of.update(group, "nodemadesa", { tags: { a: "b" } })).tags, { a: "b" });
  assert.equal((await of.getProperties(group, "nodemadesa")).sku.name, "Standard_LRS");
  assert.deepEqual(await names(of.listByResourceGroup(group)), ["nodemadesa"]);
  const before = (await of.listKeys(group, "nodemadesa")).keys;
  const after = (await of.regenerateKey(group, "nodemadesa", { keyName: "key2" })).keys;
  assert.ok(before[0].value === after[0].value && before[1].value !== after[1].value);
  await boxes.create(group, "nodemadesa", "box", {});
  assert.deepEqual(await names(boxes.list(group, "nodemadesa")), ["box"]);
  await boxes.delete(group, "nodemadesa", "box");
  await of.delete(group, "nodemadesa");
  await refused(404, () => of.getProperties(group, "nodemadesa"));
});

test("roles", async () => {
  const custom = randomUUID();
  const definition = { roleName: "Node Tagger", roleType: "CustomRole", assignableScopes: [groupId],
    permissions: [{ actions: ["Microsoft.Resources/tags/*"] }] };
  const made = await roles.roleDefinitions.createOrUpdate(groupId, custom, definition);
  assert.equal((await roles.roleDefinitions.get(groupId, custom)).roleName, "Node Tagger");
  assert.ok((await names(roles.roleDefinitions.list(groupId, { filter: "type eq 'CustomRole'" }))).includes(custom));
  const given = await roles.roleAssignments.create(groupId, randomUUID(), {
    roleDefinitionId: made.id, principalId: SITE.machine_principal_id, principalType: "ServicePrincipal" });
  assert.equal((await roles.roleAssignments.getById(given.id)).principalId, SITE.machine_principal_id);
  const filter = `principalId eq '${SITE.machine_principal_id}'`;
  assert.ok((await names(roles.roleAssignments.listForScope(groupId, { filter }))).includes(given.name));
  assert.equal((await roles.roleAssignments.delete(groupId, given.name)).name, given.name);
  await refused(404, () => roles.roleAssignments.get(groupId, given.name));
  await roles.roleDefinitions.delete(groupId, custom);
});

test("locks and the end of a group", async () => {
  await locks.managementLocks.createOrUpdateAtResourceGroupLevel(group, "keep", { level: "CanNotDelete" });
  assert.deepEqual(await names(locks.managementLocks.listAtResourceGroupLevel(group)), ["keep"]);
  const error = await refused(409, () => resources.resourceGroups.beginDeleteAndWait(group, fast));
  assert.equal(error.code, "ScopeLocked");
  await locks.managementLocks.deleteAtResourceGroupLevel(group, "keep");
  await resources.resourceGroups.beginDeleteAndWait(group, fast);
  await refused(404, () => resources.resourceGroups.get(group));
});

main();
