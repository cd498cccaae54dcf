import com.azure.core.http.HttpHeaderName;
import com.azure.core.http.HttpMethod;
import com.azure.core.http.HttpPipeline;
import com.azure.core.http.HttpPipelineBuilder;
import com.azure.core.http.HttpRequest;
import com.azure.core.http.HttpResponse;
import com.azure.core.http.policy.BearerTokenAuthenticationPolicy;
import com.azure.core.http.policy.RetryPolicy;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** The resource manager through the pipeline that every management client of Java is made of. */
final class Resources {
    static void cases() {
        HttpPipeline machine = new HttpPipelineBuilder().policies(new RetryPolicy(),
            new BearerTokenAuthenticationPolicy(Harness.machine(), "https://management.azure.com/.default")).build();
        String subscription = "/subscriptions/" + Harness.site("subscription_id");
        Harness.test("tag names are listed to a reader", () ->
            Harness.check(get(machine, subscription + "/tagNames?api-version=2021-04-01", 200).contains("scenario"), "no tag"));
        Harness.test("the machine sees itself", () ->
            Harness.check(get(machine, Harness.site("machine_resource_id") + "?api-version=2024-07-10", 200)
                .contains(Harness.site("machine_principal_id")), "no identity"));
        Harness.test("a reader lists no keys", () -> {
            String account = subscription + "/resourceGroups/" + Harness.site("group")
                + "/providers/Microsoft.Storage/storageAccounts/" + Harness.site("account_name");
            HttpRequest ask = new HttpRequest(HttpMethod.POST,
                Harness.site("resource_manager") + account + "/listKeys?api-version=2023-01-01");
            try (var answer = machine.sendSync(ask.setBody(""), com.azure.core.util.Context.NONE)) {
                Harness.same(answer.getStatusCode(), 403);
            }
        });
    }

    /** Each kind of resource made, shown, listed, changed and deleted, in a group that goes in the end. */
    static void kinds() {
        HttpPipeline operator = operator();
        String group = "/subscriptions/" + Harness.site("subscription_id") + "/resourceGroups/managed-by-java";
        String tenant = Harness.site("tenant_id");
        Harness.test("a group is made", () ->
            ask(operator, HttpMethod.PUT, group + "?api-version=2021-04-01", "{\"location\":\"local\"}", 201));
        kind(operator, group, "Microsoft.ManagedIdentity/userAssignedIdentities", "javaid", "2023-01-31", "{}", 201);
        kind(operator, group, "Microsoft.HybridCompute/machines", "javamachine", "2024-07-10", "{\"osType\":\"linux\"}", 200);
        kind(operator, group, "Microsoft.KeyVault/vaults", "javamadekv", "2023-07-01", "{\"tenantId\":\"" + tenant
            + "\",\"sku\":{\"family\":\"A\",\"name\":\"standard\"},\"enableRbacAuthorization\":true}", 200);
        kind(operator, group, "Microsoft.Storage/storageAccounts", "javamadesa", "2023-01-01", "{}", 200);
        Harness.test("the group goes with what is in it", () -> {
            ask(operator, HttpMethod.DELETE, group + "?api-version=2021-04-01", "", 200, 202);
            ask(operator, HttpMethod.GET, group + "?api-version=2021-04-01", null, 404);
        });
    }

    static HttpPipeline operator() {
        return new HttpPipelineBuilder().policies(new RetryPolicy(),
            new BearerTokenAuthenticationPolicy(Harness.operator(), "https://management.azure.com/.default")).build();
    }

    private static void kind(HttpPipeline who, String group, String type, String name, String version, String properties, int made) {
        String all = group + "/providers/" + type;
        String one = all + "/" + name + "?api-version=" + version;
        Harness.test(type + " are made, shown, listed, changed and deleted", () -> {
            String body = "{\"location\":\"local\",\"kind\":\"StorageV2\",\"sku\":{\"name\":\"Standard_LRS\"},\"properties\":" + properties + "}";
            String plain = "{\"location\":\"local\",\"properties\":" + properties + "}";
            ask(who, HttpMethod.PUT, one, type.contains("Storage") ? body : plain, made);
            Harness.check(ask(who, HttpMethod.PATCH, one, "{\"tags\":{\"by\":\"java\"}}", 200).contains("\"by\":\"java\""), "not changed");
            Harness.check(get(who, one, 200).contains("\"by\":\"java\""), "not kept");
            Harness.check(get(who, all + "?api-version=" + version, 200).contains(name), "not listed");
            ask(who, HttpMethod.DELETE, one, null, 200, 202, 204);
            get(who, one, 404);
        });
    }

    static String ask(HttpPipeline who, HttpMethod method, String path, String body, Integer... statuses) {
        HttpRequest ask = new HttpRequest(method, Harness.site("resource_manager") + path);
        if (body != null) {
            ask.setHeader(HttpHeaderName.CONTENT_TYPE, "application/json").setBody(body);
        }
        try (var answer = who.sendSync(ask, com.azure.core.util.Context.NONE)) {
            String text = seen(ask, answer);
            Harness.check(java.util.List.of(statuses).contains(answer.getStatusCode()), answer.getStatusCode() + " " + text);
            return text;
        }
    }

    private static String get(HttpPipeline who, String path, int status) {
        HttpRequest ask = new HttpRequest(HttpMethod.GET, Harness.site("resource_manager") + path);
        try (var answer = who.sendSync(ask, com.azure.core.util.Context.NONE)) {
            String text = seen(ask, answer);
            Harness.same(answer.getStatusCode(), status);
            return text;
        }
    }

    /** Its body, which is also written to CONFORMANCE_RECORD: ../../fields/check.py compares it with the API's description. */
    private static String seen(HttpRequest asked, HttpResponse answer) {
        String body = answer.getBodyAsBinaryData().toString();
        ObjectNode line = new ObjectMapper().createObjectNode().put("method", asked.getHttpMethod().toString())
            .put("url", asked.getUrl().toString()).put("status", answer.getStatusCode()).put("body", body);
        String record = System.getenv("CONFORMANCE_RECORD");
        if (record != null) {
            try {
                Files.writeString(Path.of(record), line + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
            } catch (java.io.IOException failure) {
                throw new java.io.UncheckedIOException(failure);
            }
        }
        return body;
    }
}
