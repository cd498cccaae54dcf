/** All cases of one surrounding in one process: a JVM takes longer to start than they take to run. */
public final class Main {
    public static void main(String[] arguments) {
        if (arguments.length > 0 && arguments[0].equals("imds")) {
            Identity.imds();
        } else {
            Identity.cases();
            Secrets.cases();
            Blobs.cases();
            Resources.cases();
            Resources.kinds();
        }
        Harness.finish();
    }
}
