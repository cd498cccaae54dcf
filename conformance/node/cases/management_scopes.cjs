// What the management SDKs know beside the kinds themselves: tags, providers, moves, lists of every scope, children.
const { AuthorizationManagementClient } = require("@azure/arm-authorization");
const { HybridComputeManagementClient } = require("@azure/arm-hybridcompute");
const { KeyVaultManagementClient } = require("@azure/arm-keyvault");
const { ManagementLockClient } = require("@azure/arm-locks");
const { ManagedServiceIdentityClient } = require("@azure/arm-msi");
const { ResourceManagementClient } = require("@azure/arm-resources");
const { StorageManagementClient } = require("@azure/arm-storage");
const { SITE, assert, test, refused, main } = require("../harness.cjs");
const { client, all, names, location, fast } = require("../manager.cjs");

const { resources: of, resourceGroups: groups, tagsOperations: tags, providers } = client(ResourceManagementClient);
const SUBSCRIPTION = `/subscriptions/${SITE.subscription_id}`;
const group = "scopes-by-node";
const groupId = `${SUBSCRIPTION}/resourceGroups/${group}`;
const machine = [SITE.machine_resource_id.split("/")[4], "Microsoft.HybridCompute", "machines", SITE.machine_name];

test("tags of a scope, and names of tags", async () => {
  await groups.createOrUpdate(group, { location });
  const at = SITE.machine_resource_id.slice(1);
  const before = (await tags.getAtScope(at)).properties.tags;
  const change = (operation) => tags.beginUpdateAtScopeAndWait(at, { operation, properties: { tags: { node: "1" } } }, fast);
  await change("Merge");
  assert.deepEqual((await tags.getAtScope(at)).properties.tags, { ...before, node: "1" });
  await change("Delete");
  await tags.beginCreateOrUpdateAtScopeAndWait(groupId.slice(1), { properties: { tags: { only: "this" } } }, fast);
  assert.deepEqual((await groups.get(group)).tags, { only: "this" });
  await tags.beginDeleteAtScopeAndWait(groupId.slice(1), fast);
  assert.deepEqual((await groups.get(group)).tags ?? {}, {});
  await tags.createOrUpdate("nodetag");
  await tags.createOrUpdateValue("nodetag", "value");
  const named = (await all(tags.list())).find((tag) => tag.tagName === "nodetag");
  assert.equal(named.values[0].tagValue, "value");
  await tags.deleteValue("nodetag", "value");
  await tags.delete("nodetag");
});

test("providers", async () => {
  const one = await providers.get("Microsoft.HybridCompute");
  assert.equal(one.registrationState, "Registered");
  assert.ok(one.resourceTypes.some((type) => type.resourceType === "machines"));
  assert.equal((await providers.register("Microsoft.KeyVault")).registrationState, "Registered");
  assert.equal((await providers.unregister("Microsoft.KeyVault")).namespace, "Microsoft.KeyVault");
  assert.equal((await providers.getAtTenantScope("Microsoft.Storage")).namespace, "Microsoft.Storage");
  for (const pages of [providers.list(), providers.listAtTenantScope()]) {
    assert.ok((await all(pages)).some((provider) => provider.namespace === "Microsoft.Storage"));
  }
});

test("resources by id, found and moved", async () => {
  const [id, version] = [`${groupId}/providers/Microsoft.HybridCompute/machines/nodemover`, "2024-07-10"];
  await of.beginCreateOrUpdateByIdAndWait(id, version, { location, properties: {} }, fast);
  assert.equal((await of.checkExistenceById(id, version)).body, true);
  const target = `${SUBSCRIPTION}/resourceGroups/second-by-node`;
  await groups.createOrUpdate("second-by-node", { location });
  const move = { resources: [id], targetResourceGroup: target };
  await of.beginValidateMoveResourcesAndWait(group, move, fast);
  await of.beginMoveResourcesAndWait(group, move, fast);
  assert.deepEqual(await names(of.listByResourceGroup("second-by-node")), ["nodemover"]);
  const filter = "resourceType eq 'Microsoft.HybridCompute/machines' and name eq 'nodemover'";
  const [moved] = await all(of.list({ filter }));
  assert.equal((await of.getById(moved.id, version)).name, "nodemover");
  await of.beginDeleteByIdAndWait(moved.id, version, fast);
  await refused(404, () => of.getById(moved.id, version));
  await groups.beginDeleteAndWait("second-by-node", fast);
});

test("who may do what, by every scope", async () => {
  const { roleAssignments, denyAssignments, permissions } = client(AuthorizationManagementClient);
  assert.ok((await all(roleAssignments.listForSubscription())).length > 0);
  assert.ok((await all(roleAssignments.listForResourceGroup(group))).length > 0, "what is inherited");
  assert.ok((await all(roleAssignments.listForResource(...machine))).length > 0);
  assert.deepEqual(await all(denyAssignments.list()), []);
  assert.deepEqual(await all(denyAssignments.listForScope(groupId)), []);
  assert.deepEqual(await all(denyAssignments.listForResourceGroup(group)), []);
  assert.ok((await all(permissions.listForResourceGroup(group)))[0].actions.includes("*"));
});

test("locks by every scope", async () => {
  const { managementLocks: locks } = client(ManagementLockClient);
  const lock = { level: "CanNotDelete" };
  // Its verbs "by scope" encode the scope's slashes, which makes another path of it.
  const [inGroup, provider, type, name] = machine;
  const at = [inGroup, provider, "", type, name];
  await locks.createOrUpdateAtResourceLevel(...at, "kept", lock);
  assert.equal((await locks.getAtResourceLevel(...at, "kept")).level, "CanNotDelete");
  assert.deepEqual(await names(locks.listAtResourceLevel(...at, { filter: "atScope()" })), ["kept"]);
  await locks.deleteAtResourceLevel(...at, "kept");
  await locks.createOrUpdateAtSubscriptionLevel("all", lock);
  assert.equal((await locks.getAtSubscriptionLevel("all")).name, "all");
  assert.ok((await names(locks.listAtSubscriptionLevel())).includes("all"));
  await locks.deleteAtSubscriptionLevel("all");
  await locks.createOrUpdateAtResourceGroupLevel(group, "keep", lock);
  assert.equal((await locks.getAtResourceGroupLevel(group, "keep")).level, "CanNotDelete");
  await locks.deleteAtResourceGroupLevel(group, "keep");
});

test("children, and lists of the whole subscription", async () => {
  const { userAssignedIdentities, federatedIdentityCredentials, systemAssignedIdentities } = client(ManagedServiceIdentityClient);
  await userAssignedIdentities.createOrUpdate(group, "nodescope", { location });
  assert.ok((await names(userAssignedIdentities.listBySubscription())).includes("nodescope"));
  const trust = { issuer: "https://issuer.example", subject: "s", audiences: ["api://AzureADTokenExchange"] };
  await federatedIdentityCredentials.createOrUpdate(group, "nodescope", "trust", trust);
  assert.equal((await federatedIdentityCredentials.get(group, "nodescope", "trust")).subject, "s");
  const own = await systemAssignedIdentities.getByScope(SITE.machine_resource_id.slice(1));
  assert.equal(own.principalId, SITE.machine_principal_id);

  const { machineExtensions } = client(HybridComputeManagementClient);
  const script = { location, properties: { publisher: "Microsoft.Azure.Extensions", type: "CustomScript", settings: { a: 1 } } };
  await machineExtensions.beginCreateOrUpdateAndWait(machine[0], SITE.machine_name, "nodescript", script, fast);
  const change = { properties: { settings: { a: 2 } } };
  await machineExtensions.beginUpdateAndWait(machine[0], SITE.machine_name, "nodescript", change, fast);
  assert.deepEqual((await machineExtensions.get(machine[0], SITE.machine_name, "nodescript")).properties.settings, { a: 2 });
  await machineExtensions.beginDeleteAndWait(machine[0], SITE.machine_name, "nodescript", fast);

  const { vaults } = client(KeyVaultManagementClient);
  assert.ok((await names(vaults.listBySubscription())).includes(SITE.vault_name));
  assert.ok((await names(vaults.list())).includes(SITE.vault_name));
  const policy = { tenantId: SITE.tenant_id, objectId: own.principalId, permissions: { secrets: ["get", "list"] } };
  const added = await vaults.updateAccessPolicy(SITE.group, SITE.vault_name, "add", { properties: { accessPolicies: [policy] } });
  assert.ok(added.properties.accessPolicies.some((one) => one.objectId === own.principalId));

  const { storageAccounts, blobContainers, blobServices } = client(StorageManagementClient);
  assert.ok((await names(storageAccounts.list())).includes(SITE.account_name));
  const check = { name: SITE.account_name, type: "Microsoft.Storage/storageAccounts" };
  assert.equal((await storageAccounts.checkNameAvailability(check)).nameAvailable, false);
  const box = [SITE.group, SITE.account_name, "nodebox"];
  await blobContainers.create(...box, { metadata: { m: "n" } });
  await blobContainers.update(...box, { metadata: { m: "o" } });
  const shown = await blobContainers.get(...box);
  assert.deepEqual(shown.metadata ?? shown.containerProperties?.metadata, { m: "o" });
  await blobContainers.delete(...box);
  await refused(404, () => blobContainers.get(...box));
  await blobServices.setServiceProperties(SITE.group, SITE.account_name, { isVersioningEnabled: false });
  assert.equal((await blobServices.getServiceProperties(SITE.group, SITE.account_name)).name, "default");
  assert.deepEqual(await names(blobServices.list(SITE.group, SITE.account_name)), ["default"]);
  await groups.beginDeleteAndWait(group, fast);
});

main();
