// pgjdbc: the password comes from Microsoft's plugin, which asks for a token as the machine.
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.Properties;

public class Main {
    public static void main(String[] arguments) throws Exception {
        String url = "jdbc:postgresql://" + System.getenv("PGHOST") + "/" + System.getenv("PGDATABASE");
        Properties properties = new Properties();
        properties.setProperty("user", System.getenv("PGUSER"));
        properties.setProperty("sslmode", "verify-full");
        properties.setProperty("sslrootcert", System.getenv("PGSSLROOTCERT"));
        properties.setProperty("authenticationPluginClassName",
            "com.azure.identity.extensions.jdbc.postgresql.AzurePostgresqlAuthenticationPlugin");
        properties.setProperty("azure.managedIdentityEnabled", "true");
        try (Connection connection = DriverManager.getConnection(url, properties);
             var rows = connection.createStatement().executeQuery("SELECT current_user")) {
            rows.next();
            expect("pgjdbc", rows.getString(1), System.getenv("PGUSER"));
        }
        properties.setProperty("user", "Data Team");
        try {
            DriverManager.getConnection(url, properties).close();
            throw new AssertionError("pgjdbc: another's role was let in");
        } catch (SQLException refusal) {
            expect("pgjdbc: another's role", refusal.getSQLState(), "28P01");
        }
    }

    static void expect(String what, String found, String wanted) {
        if (!wanted.equals(found)) {
            throw new AssertionError(what + ": found " + found + " instead of " + wanted);
        }
        System.out.println(what + ": " + found);
    }
}
