import com.azure.core.credential.TokenCredential;
import com.azure.core.credential.TokenRequestContext;
import com.azure.core.util.Configuration;
import com.azure.identity.DefaultAzureCredentialBuilder;
import com.azure.identity.ManagedIdentityCredentialBuilder;
import com.azure.identity.WorkloadIdentityCredentialBuilder;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.microsoft.aad.msal4j.ManagedIdentityApplication;
import com.microsoft.aad.msal4j.ManagedIdentityId;
import com.microsoft.aad.msal4j.ManagedIdentityParameters;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.Callable;

/** Which source gives which identity to which client; ../../matrix/ask.py says what is asked and answered. */
final class Matrix {
    /** One for each way to ask: a process keeps its tokens for whichever client comes next. */
    private static final String RESOURCE = "https://vault.azure.net";
    private static final String OF_CHAIN = "https://storage.azure.com";
    private static final String OF_VARIABLE = "https://graph.microsoft.com";
    private static final String OF_MSAL = "https://management.azure.com";

    static void print(String source) throws Exception {
        List<String> cells = new ArrayList<>();
        if (source.equals("workload")) {
            // It reads its four variables by itself.
            cells.addAll(List.of(judged("workload identity", false, () -> token(
                new WorkloadIdentityCredentialBuilder().disableInstanceDiscovery().build())), "-", "-", "-"));
        } else {
            cells.addAll(asked(source, List.of(
                () -> token(new ManagedIdentityCredentialBuilder().build()),
                () -> token(new ManagedIdentityCredentialBuilder().clientId(Harness.site("identity_client_id")).build()),
                () -> token(new ManagedIdentityCredentialBuilder().objectId(Harness.site("identity_object_id")).build()),
                () -> token(new ManagedIdentityCredentialBuilder().resourceId(Harness.site("identity_resource_id")).build()))));
        }
        cells.add(judged("default", false, () -> token(
            new DefaultAzureCredentialBuilder().disableInstanceDiscovery().build(), OF_CHAIN)));
        if (source.equals("workload")) {
            // The variable is one of the source's own.
            cells.add("-");
        } else {
            // A process cannot set its own variables in Java; this is where the builder reads them.
            Configuration.getGlobalConfiguration().put("AZURE_CLIENT_ID", Harness.site("identity_client_id"));
            cells.add(judged("default by AZURE_CLIENT_ID", true, () -> token(
                new DefaultAzureCredentialBuilder().disableInstanceDiscovery().build(), OF_VARIABLE)));
        }
        line("Java: azure-identity", source, cells);
        if (!source.equals("workload")) {
            List<String> msal = new ArrayList<>(asked(source, List.of(
                () -> msal(ManagedIdentityId.systemAssigned()),
                () -> msal(ManagedIdentityId.userAssignedClientId(Harness.site("identity_client_id"))),
                () -> msal(ManagedIdentityId.userAssignedObjectId(Harness.site("identity_object_id"))),
                () -> msal(ManagedIdentityId.userAssignedResourceId(Harness.site("identity_resource_id"))))));
            msal.addAll(List.of("-", "-"));
            line("Java: msal4j", source, msal);
        }
        System.out.flush();
        System.exit(0);
    }

    /** For its own identity, then for an assigned one by each kind of id. */
    private static List<String> asked(String source, List<Callable<String>> ways) throws Exception {
        List<String> cells = new ArrayList<>();
        for (Callable<String> way : ways) {
            if (source.equals("arc-file") && cells.equals(List.of("no"))) {
                // It does not look for the file, and would look for IMDS again and again.
                return List.of("no", "-", "-", "-");
            }
            cells.add(judged("managed identity, way " + cells.size(), !cells.isEmpty(), way));
        }
        return cells;
    }

    private static void line(String client, String source, List<String> cells) {
        System.out.println(client + "\t" + source + "\t" + String.join("\t", cells));
    }

    private static String token(TokenCredential credential) {
        return token(credential, RESOURCE);
    }

    private static String token(TokenCredential credential, String resource) {
        return credential.getTokenSync(new TokenRequestContext().addScopes(resource + "/.default")).getToken();
    }

    private static String msal(ManagedIdentityId id) throws Exception {
        return ManagedIdentityApplication.builder(id).build()
            .acquireTokenForManagedIdentity(ManagedIdentityParameters.builder(OF_MSAL).build()).get().accessToken();
    }

    /** yes for a token of whom it was due for, no where the client has none; anybody else's ends the program. */
    private static String judged(String what, boolean assigned, Callable<String> ask) throws Exception {
        String token;
        try {
            token = ask.call();
        } catch (Exception error) {
            System.err.println(what + ": " + String.valueOf(error.getMessage()).lines().findFirst().orElse(""));
            return "no";
        }
        String claims = new String(Base64.getUrlDecoder().decode(token.split("\\.")[1]));
        String whose = new ObjectMapper().readTree(claims).get("oid").asText();
        String expected = System.getenv(assigned ? "EXPECT_IDENTITY" : "EXPECT_OWN");
        Harness.check(whose.equals(expected), what + ": a token of " + whose + " instead of " + expected);
        return "yes";
    }
}
