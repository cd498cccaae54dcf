import com.azure.core.util.BinaryData;
import com.azure.storage.blob.BlobContainerClient;
import com.azure.storage.blob.BlobServiceClient;
import com.azure.storage.blob.BlobServiceClientBuilder;
import com.azure.storage.blob.models.BlobItem;
import com.azure.storage.blob.models.BlobRange;
import com.azure.storage.blob.models.DownloadRetryOptions;
import com.azure.storage.blob.models.ListBlobsOptions;
import com.azure.storage.blob.models.ParallelTransferOptions;
import com.azure.storage.blob.options.BlobParallelUploadOptions;
import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** Blobs whole, in pieces, in ranges, under odd names, in lists. */
final class Blobs {
    private static final int MEBIBYTE = 1 << 20;

    static void cases() {
        BlobServiceClient service = service("account");
        BlobContainerClient box = service.createBlobContainer("java-" + Long.toHexString(System.nanoTime()));
        byte[] content = new byte[20 * MEBIBYTE];
        new Random(20).nextBytes(content);
        Harness.test("twenty mebibytes come back as they went", () -> {
            var blob = box.getBlobClient("big");
            blob.upload(BinaryData.fromBytes(content));
            Harness.check(Arrays.equals(blob.downloadContent().toBytes(), content), "other bytes came back");
        });
        Harness.test("pieces make the same blob", () -> {
            var blob = box.getBlobClient("pieces");
            var pieces = new ParallelTransferOptions().setBlockSizeLong((long) MEBIBYTE).setMaxConcurrency(4)
                .setMaxSingleUploadSizeLong((long) MEBIBYTE);
            blob.uploadWithResponse(new BlobParallelUploadOptions(BinaryData.fromBytes(content))
                .setParallelTransferOptions(pieces), null, null);
            Harness.check(Arrays.equals(blob.downloadContent().toBytes(), content), "other bytes came back");
        });
        Harness.test("ranges are exact", () -> {
            var found = new ByteArrayOutputStream();
            box.getBlobClient("big").downloadStreamWithResponse(found, new BlobRange(MEBIBYTE - 1, 2L),
                new DownloadRetryOptions(), null, false, null, null);
            Harness.check(Arrays.equals(found.toByteArray(),
                Arrays.copyOfRange(content, MEBIBYTE - 1, MEBIBYTE + 1)), "other bytes");
        });
        Harness.test("overwriting must be asked for", () -> {
            var blob = box.getBlobClient("once");
            blob.upload(BinaryData.fromString("first"));
            Harness.refused(409, () -> blob.upload(BinaryData.fromString("second")));
            blob.upload(BinaryData.fromString("second"), true);
            Harness.same(blob.downloadContent().toString(), "second");
        });
        Harness.test("names keep their letters", () -> {
            for (String name : List.of("Ordner/Grüße & more/100% #1?.txt", "a b+c", "~tilde(1)!*'", "日本/語.txt")) {
                box.getBlobClient(name).upload(BinaryData.fromString(name));
                Harness.same(box.getBlobClient(name).downloadContent().toString(), name);
                Harness.check(names(box, new ListBlobsOptions()).contains(name), name + " is not listed");
            }
        });
        Harness.test("lists go on over pages", () -> {
            var wanted = new ArrayList<String>();
            for (int number = 0; number < 25; number++) {
                wanted.add(String.format("many/%03d", number));
                box.getBlobClient(wanted.get(number)).upload(BinaryData.fromString("x"));
            }
            Harness.same(names(box, new ListBlobsOptions().setPrefix("many/").setMaxResultsPerPage(10)), wanted);
        });
        Harness.test("a deleted blob is gone", () -> {
            var blob = box.getBlobClient("once");
            blob.delete();
            Harness.check(!blob.exists(), "it is still there");
            Harness.refused(404, blob::downloadContent);
        });
        Harness.test("without a role the account stays closed", () ->
            Harness.refused(403, () -> service("closed_account").createBlobContainer("mine")));
    }

    private static BlobServiceClient service(String where) {
        return new BlobServiceClientBuilder().endpoint(Harness.site(where)).credential(Harness.machine()).buildClient();
    }

    private static List<String> names(BlobContainerClient box, ListBlobsOptions options) {
        return box.listBlobs(options, null).stream().map(BlobItem::getName).toList();
    }
}
