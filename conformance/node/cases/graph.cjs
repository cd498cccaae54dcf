// The directory through Microsoft's own client for Graph: objects, filters, pages, references and batches.
const { BatchRequestContent, BatchResponseContent, Client, PageIterator } = require("@microsoft/microsoft-graph-client");
const { TokenCredentialAuthenticationProvider } = require("@microsoft/microsoft-graph-client/authProviders/azureTokenCredentials");
const { ClientSecretCredential } = require("@azure/identity");
const { SITE, assert, test, refused, main } = require("../harness.cjs");

const operator = new ClientSecretCredential(SITE.tenant_id, SITE.operator_client_id, SITE.operator_client_secret, {
  authorityHost: SITE.authority,
  disableInstanceDiscovery: true,
});
const graph = Client.initWithMiddleware({
  authProvider: new TokenCredentialAuthenticationProvider(operator, { scopes: ["https://graph.microsoft.com/.default"] }),
  baseUrl: SITE.graph,
  customHosts: new Set([new URL(SITE.graph).hostname]),
});

async function everything(path) {
  const all = [];
  await new PageIterator(graph, await graph.api(path).get(), (one) => all.push(one)).iterate();
  return all;
}

test("applications and what acts for them", async () => {
  const app = await graph.api("/applications").post({ displayName: "by graph client" });
  const acting = await graph.api("/servicePrincipals").post({ appId: app.appId });
  const password = await graph.api(`/applications/${app.id}/addPassword`).post({ passwordCredential: { displayName: "one" } });
  assert.ok(password.secretText.length > 20 && password.secretText.startsWith(password.hint));
  const signedIn = new ClientSecretCredential(SITE.tenant_id, app.appId, password.secretText, {
    authorityHost: SITE.authority, disableInstanceDiscovery: true });
  assert.ok((await signedIn.getToken("https://graph.microsoft.com/.default")).token);
  assert.equal((await graph.api(`/servicePrincipals(appId='${app.appId}')`).get()).id, acting.id);
  const found = await graph.api("/servicePrincipals").filter(`appId eq '${app.appId}'`).select("id,displayName").get();
  assert.deepEqual(found.value, [{ id: acting.id, displayName: "by graph client" }]);
  const trust = { name: "trust", issuer: "https://issuer.example", subject: "s", audiences: ["api://AzureADTokenExchange"] };
  await graph.api(`/applications/${app.id}/federatedIdentityCredentials`).post(trust);
  await graph.api(`/applications/${app.id}/federatedIdentityCredentials/trust`).patch({ subject: "t" });
  assert.equal((await graph.api(`/applications/${app.id}/federatedIdentityCredentials/trust`).get()).subject, "t");
  await graph.api(`/applications/${app.id}/removePassword`).post({ keyId: password.keyId });
  const shown = await graph.api(`/applications/${app.id}`).get();
  assert.deepEqual(shown.passwordCredentials, []);
  await graph.api(`/applications/${app.id}`).delete();
  const error = await refused(404, () => graph.api(`/servicePrincipals/${acting.id}`).get());
  assert.equal(error.code, "Request_ResourceNotFound");
});

test("users and groups within groups, page by page", async () => {
  const user = await graph.api("/users").post({ displayName: "Ada", userPrincipalName: "ada@graph.example", mailNickname: "ada",
    accountEnabled: true, passwordProfile: { password: "not kept: 3" } });
  assert.equal((await graph.api("/users/ada@graph.example").get()).id, user.id);
  const made = [];
  for (const name of ["outer", "inner", "third"]) {
    made.push(await graph.api("/groups").post({ displayName: `graph ${name}`, mailNickname: name, mailEnabled: false, securityEnabled: true }));
  }
  const [outer, inner, third] = made;
  const add = (group, who) => graph.api(`/groups/${group.id}/members/$ref`)
    .post({ "@odata.id": `${SITE.graph}/v1.0/directoryObjects/${who.id}` });
  await add(outer, inner);
  await add(outer, third);
  await add(inner, user);
  assert.equal((await everything("/groups?$filter=startswith(displayName,'graph ')&$top=2")).length, 3);
  assert.deepEqual((await everything(`/groups/${outer.id}/members?$top=1`)).map((m) => m.id).sort(), [inner.id, third.id].sort());
  assert.equal((await graph.api(`/groups/${outer.id}/transitiveMembers`).get()).value.length, 3);
  const of = (await graph.api(`/users/${user.id}/transitiveMemberOf`).get()).value;
  assert.deepEqual(of.map((g) => g["@odata.type"]), ["#microsoft.graph.group", "#microsoft.graph.group"]);
  const checked = await graph.api(`/directoryObjects/${user.id}/checkMemberGroups`).post({ groupIds: [outer.id, third.id] });
  assert.deepEqual(checked.value, [outer.id]);
  const named = await graph.api("/directoryObjects/getByIds").post({ ids: [user.id, outer.id], types: ["user"] });
  assert.deepEqual(named.value.map((o) => o.id), [user.id]);
  for (const group of made) await graph.api(`/groups/${group.id}`).delete();
  await graph.api(`/users/${user.id}`).delete();
});

test("a batch with steps that wait for others", async () => {
  const step = (id, path, init, dependsOn) => ({ id, request: new Request(`https://ignored.example${path}`, init), dependsOn });
  const group = { displayName: "batched", mailNickname: "batched", mailEnabled: false, securityEnabled: true };
  const content = new BatchRequestContent([
    step("make", "/groups", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(group) }),
    step("find", "/groups?$filter=displayName eq 'batched'", { method: "GET" }, ["make"]),
    step("me", "/me", { method: "GET" }, ["make"]),
  ]);
  const answers = new BatchResponseContent(await graph.api("/$batch").post(await content.getContent()));
  assert.equal(answers.getResponseById("make").status, 201);
  const found = (await answers.getResponseById("find").json()).value;
  assert.deepEqual(found.map((g) => g.displayName), ["batched"]);
  assert.equal(answers.getResponseById("me").status, 400, "an application is no user");
  await graph.api(`/groups/${found[0].id}`).delete();
});

main();
