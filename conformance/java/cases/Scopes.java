import com.azure.core.http.HttpMethod;
import com.azure.core.http.HttpPipeline;
import java.util.UUID;

/** What hangs on resources, roles, locks and tags, through the pipeline of {@link Resources}. */
final class Scopes {
    private static final String SUBSCRIPTION = "/subscriptions/" + Harness.site("subscription_id");
    private static final String GROUP = SUBSCRIPTION + "/resourceGroups/scopes-by-java";
    private static final HttpPipeline WHO = Resources.operator();

    static void cases() {
        Harness.test("a group for what hangs on resources", () ->
            Resources.ask(WHO, HttpMethod.PUT, GROUP + "?api-version=2021-04-01", "{\"location\":\"local\"}", 201));
        children();
        Harness.test("keys are listed and made anew", () -> {
            String account = GROUP + "/providers/Microsoft.Storage/storageAccounts/javascopesa";
            String before = post(account + "/listKeys?api-version=2023-01-01", "{}");
            String after = post(account + "/regenerateKey?api-version=2023-01-01", "{\"keyName\":\"key1\"}");
            Harness.check(before.contains("key2") && !before.equals(after), "the key stayed");
        });
        Harness.test("a deleted vault is shown, listed and purged", () -> {
            String vault = "/providers/Microsoft.KeyVault/vaults/javascopekv?api-version=2023-07-01";
            put(GROUP + vault, "{\"location\":\"local\",\"properties\":{\"tenantId\":\"" + Harness.site("tenant_id")
                + "\",\"sku\":{\"family\":\"A\",\"name\":\"standard\"},\"enableRbacAuthorization\":true}}");
            Resources.ask(WHO, HttpMethod.DELETE, GROUP + vault, null, 200);
            String deleted = SUBSCRIPTION + "/providers/Microsoft.KeyVault/%sdeletedVaults%s?api-version=2023-07-01";
            String one = deleted.formatted("locations/local/", "/javascopekv");
            Harness.check(get(deleted.formatted("", "")).contains("javascopekv") && get(one).contains("scheduledPurgeDate"), "not shown");
            Resources.ask(WHO, HttpMethod.POST, deleted.formatted("locations/local/", "/javascopekv/purge"), "", 200, 202);
        });
        Harness.test("roles are defined, given, listed and taken away", () -> {
            String of = "/providers/Microsoft.Authorization/";
            String definition = GROUP + of + "roleDefinitions/" + UUID.randomUUID();
            put(definition + "?api-version=2022-04-01", "{\"properties\":{\"roleName\":\"Java Tagger\",\"type\":\"CustomRole\","
                + "\"assignableScopes\":[\"" + GROUP + "\"],\"permissions\":[{\"actions\":[\"Microsoft.Resources/tags/*\"]}]}}");
            Harness.check(get(definition + "?api-version=2022-04-01").contains("Java Tagger"), "not kept");
            Harness.check(get(GROUP + of + "roleDefinitions?api-version=2022-04-01&$filter=type%20eq%20'CustomRole'")
                .contains("Java Tagger"), "not listed");
            String assignment = GROUP + of + "roleAssignments/" + UUID.randomUUID() + "?api-version=2022-04-01";
            String who = Harness.site("machine_principal_id");
            put(assignment, "{\"properties\":{\"principalId\":\"" + who + "\",\"principalType\":\"ServicePrincipal\",\"roleDefinitionId\":\""
                + definition + "\"}}");
            Harness.check(get(assignment).contains(who), "not given");
            Harness.check(get(GROUP + of + "roleAssignments?api-version=2022-04-01").contains(who), "not listed");
            gone(assignment);
            gone(definition + "?api-version=2022-04-01");
        });
        Harness.test("a lock is felt, and the group goes without it", () -> {
            String locks = GROUP + "/providers/Microsoft.Authorization/locks";
            String lock = locks + "/keep?api-version=2020-05-01";
            put(lock, "{\"properties\":{\"level\":\"CanNotDelete\"}}");
            Harness.check(get(lock).contains("CanNotDelete") && get(locks + "?api-version=2020-05-01").contains("keep"), "not shown");
            Harness.check(Resources.ask(WHO, HttpMethod.DELETE, GROUP + "?api-version=2021-04-01", null, 409)
                .contains("ScopeLocked"), "not felt");
            gone(lock);
            Resources.ask(WHO, HttpMethod.DELETE, GROUP + "?api-version=2021-04-01", null, 200, 202);
        });
    }

    /** What is part of a resource: made, shown, listed and deleted. */
    private static void children() {
        String identity = "Microsoft.ManagedIdentity/userAssignedIdentities/javascopeid";
        String machine = "Microsoft.HybridCompute/machines/javascopemachine";
        String account = "Microsoft.Storage/storageAccounts/javascopesa";
        String[][] parents = {
            {identity, "2023-01-31", "{\"location\":\"local\"}"},
            {machine, "2024-07-10", "{\"location\":\"local\",\"properties\":{}}"},
            {account, "2023-01-01", "{\"location\":\"local\",\"kind\":\"StorageV2\",\"sku\":{\"name\":\"Standard_LRS\"},\"properties\":{}}"},
        };
        Harness.test("resources for them", () -> {
            for (String[] parent : parents) {
                put(GROUP + "/providers/" + parent[0] + "?api-version=" + parent[1], parent[2]);
            }
        });
        String[][] kinds = {
            {identity, "federatedIdentityCredentials", "2023-01-31", "{\"properties\":{\"issuer\":\"https://issuer.example\",\"subject\":"
                + "\"s\",\"audiences\":[\"api://AzureADTokenExchange\"]}}"},
            {machine, "extensions", "2024-07-10", "{\"location\":\"local\",\"properties\":{\"publisher\":\"Microsoft.Azure.Extensions\","
                + "\"type\":\"CustomScript\",\"settings\":{\"a\":1}}}"},
            {account, "blobServices/default/containers", "2023-01-01", "{\"properties\":{\"metadata\":{\"m\":\"n\"}}}"},
        };
        for (String[] kind : kinds) {
            String all = GROUP + "/providers/" + kind[0] + "/" + kind[1];
            String one = all + "/javachild?api-version=" + kind[2];
            Harness.test(kind[1] + " are made, shown, listed and deleted", () -> {
                put(one, kind[3]);
                Harness.check(get(one).contains("javachild"), "not shown");
                Harness.check(get(all + "?api-version=" + kind[2]).contains("javachild"), "not listed");
                gone(one);
            });
        }
    }

    private static void put(String path, String body) {
        Resources.ask(WHO, HttpMethod.PUT, path, body, 200, 201, 202);
    }

    private static String post(String path, String body) {
        return Resources.ask(WHO, HttpMethod.POST, path, body, 200);
    }

    private static String get(String path) {
        return Resources.ask(WHO, HttpMethod.GET, path, null, 200);
    }

    private static void gone(String path) {
        Resources.ask(WHO, HttpMethod.DELETE, path, null, 200, 202, 204);
        Resources.ask(WHO, HttpMethod.GET, path, null, 404);
    }
}
