import com.azure.core.http.HttpMethod;
import com.azure.core.http.HttpPipeline;
import com.azure.core.http.HttpPipelineBuilder;
import com.azure.core.http.HttpRequest;
import com.azure.core.http.policy.BearerTokenAuthenticationPolicy;
import com.azure.core.http.policy.RetryPolicy;

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

    private static String get(HttpPipeline who, String path, int status) {
        HttpRequest ask = new HttpRequest(HttpMethod.GET, Harness.site("resource_manager") + path);
        try (var answer = who.sendSync(ask, com.azure.core.util.Context.NONE)) {
            Harness.same(answer.getStatusCode(), status);
            return answer.getBodyAsBinaryData().toString();
        }
    }
}
