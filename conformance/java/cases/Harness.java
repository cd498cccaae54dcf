import com.azure.core.credential.TokenCredential;
import com.azure.core.credential.TokenRequestContext;
import com.azure.core.exception.HttpResponseException;
import com.azure.identity.ClientSecretCredentialBuilder;
import com.azure.identity.ManagedIdentityCredentialBuilder;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.io.IOException;

/** What every file of cases shares: the prepared site, and a runner that says which case failed and why. */
final class Harness {
    private static final JsonNode SITE = read();
    private static int passed;
    private static int failed;

    /** One case; whatever it throws is its failure. */
    interface Case {
        void run() throws Exception;
    }

    static void test(String name, Case body) {
        try {
            body.run();
            passed++;
            System.out.println("ok      " + name);
        } catch (Exception | AssertionError failure) {
            failed++;
            System.out.println("FAILED  " + name);
            failure.printStackTrace(System.out);
        }
    }

    static void finish() {
        System.out.println(passed + " passed, " + failed + " failed");
        // Netty's threads would keep the process alive.
        System.exit(failed == 0 && passed > 0 ? 0 : 1);
    }

    static String site(String name) {
        return SITE.get(name).asText();
    }

    /** The site's own application; the one setting a private cloud needs is that nobody is asked about its authority. */
    static TokenCredential operator() {
        return secret(site("tenant_id"), site("operator_client_id"), site("operator_client_secret"));
    }

    static TokenCredential secret(String tenant, String client, String secret) {
        return new ClientSecretCredentialBuilder().tenantId(tenant).clientId(client).clientSecret(secret)
            .authorityHost(site("authority")).disableInstanceDiscovery().build();
    }

    /** This machine's own identity, with no setting at all. */
    static TokenCredential machine() {
        return new ManagedIdentityCredentialBuilder().build();
    }

    static String token(TokenCredential credential, String scope) {
        String token = credential.getTokenSync(new TokenRequestContext().addScopes(scope)).getToken();
        check(token.split("\\.").length == 3, "no JWT: " + token);
        return token;
    }

    static void check(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }

    static void same(Object found, Object wanted) {
        check(wanted.equals(found), "found " + found + " instead of " + wanted);
    }

    /** The action must be answered with this status; returns the error for a closer look. */
    static HttpResponseException refused(int status, Case action) throws Exception {
        try {
            action.run();
        } catch (HttpResponseException error) {
            same(error.getResponse().getStatusCode(), status);
            return error;
        }
        throw new AssertionError("was allowed, but " + status + " was due");
    }

    /** The action must fail with an error that contains these words. */
    static void fails(String words, Case action) throws Exception {
        try {
            action.run();
        } catch (RuntimeException error) {
            for (Throwable cause = error; cause != null; cause = cause.getCause()) {
                if (String.valueOf(cause.getMessage()).contains(words)) {
                    return;
                }
            }
            throw error;
        }
        throw new AssertionError("was allowed, but " + words + " was due");
    }

    private static JsonNode read() {
        try {
            return new ObjectMapper().readTree(new File(System.getenv("COUNTERSIGN_PREPARED")));
        } catch (IOException error) {
            throw new IllegalStateException("COUNTERSIGN_PREPARED names what prepare.py wrote", error);
        }
    }
}
