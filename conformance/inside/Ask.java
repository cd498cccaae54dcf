import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;

/** Statuses of the addresses given, by the JDK's own client. */
final class Ask {
    public static void main(String[] urls) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        List<String> statuses = new ArrayList<>();
        for (String url : urls) {
            HttpRequest request = HttpRequest.newBuilder(URI.create(url)).build();
            statuses.add(String.valueOf(client.send(request, HttpResponse.BodyHandlers.discarding()).statusCode()));
        }
        System.out.println(String.join(" ", statuses));
    }
}
