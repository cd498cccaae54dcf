/** All cases of one surrounding in one process: a JVM takes longer to start than they take to run. */
public final class Main {
    public static void main(String[] arguments) throws Exception {
        if (arguments.length == 2 && arguments[0].equals("matrix")) {
            Matrix.print(arguments[1]);
        } else if (arguments.length == 3 && arguments[0].equals("patience")) {
            Patience.print(arguments[1], arguments[2]);
        } else if (arguments.length > 0 && arguments[0].equals("imds")) {
            Identity.imds();
        } else {
            Identity.cases();
            Secrets.cases();
            Blobs.cases();
            Resources.cases();
            Resources.kinds();
            Scopes.cases();
        }
        Harness.finish();
    }
}
