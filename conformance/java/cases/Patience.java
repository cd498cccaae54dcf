import com.azure.core.credential.TokenRequestContext;
import com.azure.identity.DefaultAzureCredentialBuilder;
import com.azure.identity.ManagedIdentityCredential;
import com.azure.identity.ManagedIdentityCredentialBuilder;
import com.microsoft.aad.msal4j.ManagedIdentityApplication;
import com.microsoft.aad.msal4j.ManagedIdentityId;
import com.microsoft.aad.msal4j.ManagedIdentityParameters;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;

/** How patient the clients are; ../../matrix/patience.py says what is asked and printed. */
final class Patience {
    private static final String RESOURCE = "https://vault.azure.net";

    /** One client a process: they share what they keep. */
    static void print(String what, String client) throws Exception {
        boolean msal = client.equals("msal4j");
        if (what.equals("again")) {
            ManagedIdentityCredential credential = new ManagedIdentityCredentialBuilder().build();
            ManagedIdentityApplication application = application();
            again("Java: " + client, () -> msal ? msal(application) : credential.getTokenSync(scope()));
        } else {
            nothing("Java: " + client, what, () -> msal ? msal(application())
                : new DefaultAzureCredentialBuilder().build().getTokenSync(scope()));
        }
        System.out.flush();
        System.exit(0);
    }

    private static TokenRequestContext scope() {
        return new TokenRequestContext().addScopes(RESOURCE + "/.default");
    }

    private static ManagedIdentityApplication application() {
        return ManagedIdentityApplication.builder(ManagedIdentityId.systemAssigned()).build();
    }

    private static Object msal(ManagedIdentityApplication application) throws Exception {
        return application.acquireTokenForManagedIdentity(ManagedIdentityParameters.builder(RESOURCE).build()).get();
    }

    private static void again(String client, Callable<Object> ask) throws Exception {
        List<String> found = new ArrayList<>();
        for (String hour : System.getenv("HOURS").split(" ")) {
            Files.writeString(Path.of(System.getenv("CLOCK")), "+" + hour + "h");
            int before = count();
            ask.call();
            found.add(String.valueOf(count() - before));
        }
        System.out.println(client + "\tagain\t" + String.join(" ", found));
    }

    private static int count() throws Exception {
        return Integer.parseInt(Files.readString(Path.of(System.getenv("COUNT"))));
    }

    private static void nothing(String client, String what, Callable<Object> ask) {
        double best = Double.MAX_VALUE;
        for (int tries = 0; tries < 2 || tries < 3 && best >= 1 && best < 2; tries++) {
            long began = System.nanoTime();
            boolean got = true;
            try {
                ask.call();
            } catch (Exception nobody) {
                got = false;
            }
            Harness.check(!got, "a token, where nothing listens");
            best = Math.min(best, (System.nanoTime() - began) / 1e9);
        }
        System.out.println(client + "\t" + what + "\t" + String.format(Locale.ROOT, "%.2f", best));
    }
}
