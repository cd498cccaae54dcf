import com.azure.core.credential.TokenRequestContext;
import com.azure.core.util.Configuration;
import com.azure.core.util.ConfigurationBuilder;
import com.azure.identity.DefaultAzureCredentialBuilder;
import com.azure.identity.EnvironmentCredentialBuilder;
import com.azure.identity.ManagedIdentityCredentialBuilder;
import com.azure.security.keyvault.secrets.SecretClientBuilder;
import java.time.OffsetDateTime;

/** A connected machine without a stored password, and a service principal at the authority. */
final class Identity {
    private static final String VAULT = "https://vault.azure.net/.default";

    static void cases() {
        Harness.test("managed identity answers the challenge", () -> {
            var token = Harness.machine().getTokenSync(new TokenRequestContext().addScopes(VAULT));
            Harness.check(token.getExpiresAt().isAfter(OffsetDateTime.now().plusHours(1)), "ends too soon");
        });
        Harness.test("two audiences get two tokens", () -> {
            var machine = Harness.machine();
            String other = Harness.token(machine, "https://storage.azure.com/.default");
            Harness.check(!other.equals(Harness.token(machine, VAULT)), "one token for two audiences");
        });
        Harness.test("default credential reads a secret", () -> {
            var client = new SecretClientBuilder().vaultUrl(Harness.site("vault"))
                .credential(new DefaultAzureCredentialBuilder().build()).buildClient();
            Harness.same(client.getSecret("scenario").getValue(), "the cake is in the kitchen");
        });
        Harness.test("an identity that is not there is refused", () -> Harness.fails("", () ->
            Harness.token(new ManagedIdentityCredentialBuilder()
                .clientId("00000000-0000-0000-0000-00000000dead").build(), VAULT)));
        Harness.test("a secret at the authority", () ->
            Harness.token(Harness.operator(), "https://management.azure.com/.default"));
        Harness.test("tenant adfs needs only the environment", () -> {
            Configuration environment = new ConfigurationBuilder()
                .putProperty("AZURE_AUTHORITY_HOST", Harness.site("authority"))
                .putProperty("AZURE_TENANT_ID", "adfs")
                .putProperty("AZURE_CLIENT_ID", Harness.site("operator_client_id"))
                .putProperty("AZURE_CLIENT_SECRET", Harness.site("operator_client_secret")).build();
            Harness.token(new EnvironmentCredentialBuilder().configuration(environment).build(), VAULT);
        });
        Harness.test("what is wrong is refused in Entra's words", () -> {
            String tenant = Harness.site("tenant_id");
            String client = Harness.site("operator_client_id");
            String nobody = "00000000-0000-0000-0000-00000000dead";
            Harness.fails("AADSTS7000215", () -> Harness.token(Harness.secret(tenant, client, "wrong"), VAULT));
            Harness.fails("AADSTS700016", () -> Harness.token(Harness.secret(tenant, nobody, "wrong"), VAULT));
            Harness.fails("AADSTS90002", () -> Harness.token(Harness.secret(nobody, client, "wrong"), VAULT));
        });
    }

    /** For a process without the two variables of Arc. */
    static void imds() {
        Harness.test("managed identity asks IMDS", () -> Harness.token(Harness.machine(), VAULT));
        Harness.test("default credential probes and finds IMDS", () ->
            Harness.token(new DefaultAzureCredentialBuilder().build(), "https://management.azure.com/.default"));
    }
}
