import com.azure.core.credential.TokenCredential;
import com.azure.security.keyvault.secrets.SecretClient;
import com.azure.security.keyvault.secrets.SecretClientBuilder;
import com.azure.security.keyvault.secrets.models.KeyVaultSecret;
import com.azure.security.keyvault.secrets.models.SecretProperties;
import java.time.Duration;
import java.util.HashSet;
import java.util.Map;

/** Key Vault secrets with the SDK's default settings, so that it verifies our challenge. */
final class Secrets {
    static void cases() {
        SecretClient vault = client("vault", Harness.operator());
        Harness.test("set and get keep every byte", () -> keepsEveryByte(vault));
        Harness.test("an old version stays readable", () -> {
            KeyVaultSecret first = vault.setSecret("java-versioned", "one");
            vault.setSecret("java-versioned", "two");
            Harness.same(vault.getSecret("java-versioned").getValue(), "two");
            Harness.same(vault.getSecret("java-versioned", first.getProperties().getVersion()).getValue(), "one");
            Harness.check(vault.listPropertiesOfSecretVersions("java-versioned").stream().count() >= 2, "a version is missing");
        });
        Harness.test("lists go on over pages", () -> {
            var wanted = new HashSet<String>();
            for (int number = 0; number < 60; number++) {
                wanted.add("java-page-" + number);
                vault.setSecret("java-page-" + number, "x");
            }
            for (SecretProperties found : vault.listPropertiesOfSecrets()) {
                wanted.remove(found.getName());
            }
            Harness.check(wanted.isEmpty(), "not listed: " + wanted);
        });
        Harness.test("properties are changed", () -> {
            KeyVaultSecret made = vault.setSecret("java-changed", "x");
            vault.updateSecretProperties(made.getProperties().setEnabled(false).setTags(Map.of("a", "b")));
            Harness.refused(403, () -> vault.getSecret("java-changed"));
        });
        Harness.test("a deleted secret is recovered and purged", () -> deletes(vault));
        Harness.test("the machine may read but not write", () -> {
            SecretClient machine = client("vault", Harness.machine());
            Harness.same(machine.getSecret("scenario").getValue(), "the cake is in the kitchen");
            Harness.refused(403, () -> machine.setSecret("from-machine", "x"));
            Harness.refused(403, () -> client("closed_vault", Harness.machine()).getSecret("hidden"));
        });
    }

    private static SecretClient client(String where, TokenCredential who) {
        return new SecretClientBuilder().vaultUrl(Harness.site(where)).credential(who).buildClient();
    }

    private static void keepsEveryByte(SecretClient vault) {
        String content = "zwölf Boxkämpfer 🐹 \"quoted\" \\ \n second line";
        KeyVaultSecret secret = new KeyVaultSecret("java-text", content);
        secret.getProperties().setContentType("text/plain").setTags(Map.of("owner", "tests"));
        KeyVaultSecret made = vault.setSecret(secret);
        KeyVaultSecret found = vault.getSecret("java-text");
        Harness.same(found.getValue(), content);
        Harness.same(found.getId(), made.getId());
        Harness.same(found.getProperties().getContentType(), "text/plain");
        Harness.same(found.getProperties().getTags(), Map.of("owner", "tests"));
        Harness.check(found.getProperties().isEnabled() && found.getProperties().getCreatedOn() != null, "attributes");
    }

    private static void deletes(SecretClient vault) throws Exception {
        vault.setSecret("java-doomed", "x");
        vault.beginDeleteSecret("java-doomed").waitForCompletion(Duration.ofSeconds(30));
        Harness.check(Harness.refused(404, () -> vault.getSecret("java-doomed")).getMessage()
            .contains("SecretNotFound"), "another code");
        Harness.check(vault.getDeletedSecret("java-doomed").getScheduledPurgeDate() != null, "no purge date");
        vault.beginRecoverDeletedSecret("java-doomed").waitForCompletion(Duration.ofSeconds(30));
        Harness.same(vault.getSecret("java-doomed").getValue(), "x");
        vault.beginDeleteSecret("java-doomed").waitForCompletion(Duration.ofSeconds(30));
        vault.purgeDeletedSecret("java-doomed");
        Harness.refused(404, () -> vault.getDeletedSecret("java-doomed"));
    }
}
