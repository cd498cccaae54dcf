//! Copies within the account, and batches.

use crate::world::{World, encoded};

const BLOCK_BLOB: (&str, &str) = ("x-ms-blob-type", "BlockBlob");
const OWN: &str = "https://acct.blob.core.s.example";

#[tokio::test]
async fn a_copy_is_a_blob_of_its_own() {
    let world = World::new().await;
    let headers = [BLOCK_BLOB, ("content-type", "text/plain"), ("x-ms-meta-k", "v")];
    world.send("writer", "PUT", "/box/d/a%20b", &headers, "hello").await;
    let source = format!("{OWN}/box/d/a%20b");
    let copied = world.send("writer", "PUT", "/box/copy", &[("x-ms-copy-source", &source)], "").await;
    assert_eq!((copied.status, copied.header("x-ms-copy-status")), (202, "success"), "{}", copied.text());
    world.send("writer", "DELETE", "/box/d/a%20b", &[], "").await;
    let got = world.get("/box/copy", &[]).await;
    assert_eq!(
        (got.text().as_str(), got.header("content-type"), got.header("x-ms-meta-k")),
        ("hello", "text/plain", "v")
    );
    let source = format!("{OWN}:443/box/copy");
    let headers = [
        BLOCK_BLOB,
        ("x-ms-copy-source", &source),
        ("x-ms-blob-content-type", "text/html"),
        ("x-ms-meta-n", "w"),
    ];
    assert_eq!(world.send("writer", "PUT", "/box/url", &headers, "").await.status, 201);
    let got = world.get("/box/url", &[]).await;
    assert_eq!(
        (got.header("content-type"), got.header("x-ms-meta-k"), got.header("x-ms-meta-n")),
        ("text/html", "", "w")
    );
    let block = [("x-ms-copy-source", source.as_str()), ("x-ms-source-range", "bytes=1-3")];
    assert_eq!(
        world.send("writer", "PUT", "/box/part?comp=block&blockid=QQ%3D%3D", &block, "").await.status,
        201
    );
    let list = "<BlockList><Latest>QQ==</Latest></BlockList>";
    assert_eq!(world.send("writer", "PUT", "/box/part?comp=blocklist", &[], list).await.status, 201);
    assert_eq!(world.get("/box/part", &[]).await.text(), "ell");
    let none = format!("{OWN}/box/none");
    assert_eq!(
        world.send("writer", "PUT", "/box/x", &[("x-ms-copy-source", &none)], "").await.code(),
        "BlobNotFound"
    );
    let unmet = [("x-ms-copy-source", source.as_str()), ("x-ms-source-if-match", "\"0x8\"")];
    assert_eq!(world.send("writer", "PUT", "/box/x", &unmet, "").await.code(), "SourceConditionNotMet");
    let exists = [("x-ms-copy-source", source.as_str()), ("if-none-match", "*")];
    assert_eq!(world.send("writer", "PUT", "/box/url", &exists, "").await.code(), "BlobAlreadyExists");
    assert_eq!(
        world.send("writer", "PUT", "/box/url?comp=copy&copyid=1", &[], "").await.code(),
        "NoPendingCopyOperation"
    );
}

#[tokio::test]
async fn a_large_copy_is_read_and_written_in_pieces() {
    let world = World::new().await;
    static PIECE: [u8; 65_536] = [3; 65_536];
    let headers = [("x-ms-version", "2020-10-02"), BLOCK_BLOB];
    world
        .send_body("writer", "PUT", "/box/big", &headers, crate::world::pieces(&PIECE, 50, false), true)
        .await;
    let source = format!("{OWN}/box/big");
    assert_eq!(
        world.send("writer", "PUT", "/box/twin", &[("x-ms-copy-source", &source)], "").await.status,
        202
    );
    assert_eq!(world.objects(), 2);
    let got = world.get("/box/twin", &[]).await;
    assert!(got.body.len() == 50 * 65_536 && got.body.iter().all(|b| *b == 3));
}

#[tokio::test]
async fn f11_nothing_is_fetched_for_a_caller() {
    let world = World::new().await;
    world.upload("there", "x").await;
    for target in ["/box/a", "/box/a?comp=block&blockid=QQ%3D%3D"] {
        for source in [
            "http://169.254.169.254/metadata/instance",
            "http://127.0.0.1/box/there",
            "https://management.s.example/",
            "https://other.blob.core.s.example/box/there",
            "https://acct.blob.core.s.example.evil/box/there",
            "https://acct.blob.core.s.example:8443/box/there",
            "https://acct.blob.core.s.example@evil/box/there",
            "http://acct.blob.core.s.example/box/there",
            "/box/there",
        ] {
            let reply = world.send("writer", "PUT", target, &[("x-ms-copy-source", source)], "").await;
            assert_eq!((reply.status, reply.code()), (403, "CannotVerifyCopySource"), "{source}");
        }
    }
    assert_eq!(world.get("/box/a", &[]).await.code(), "BlobNotFound");
    assert_eq!(world.get("/box/a?comp=blocklist&blocklisttype=all", &[]).await.code(), "BlobNotFound");
}

fn envelope(requests: &[&str]) -> String {
    let part = |(n, r): (usize, &&str)| {
        format!("--batch_1\r\nContent-Type: application/http\r\nContent-ID: {n}\r\n\r\n{r}\r\n\r\n")
    };
    let parts: String = requests.iter().enumerate().map(part).collect();
    format!("{parts}--batch_1--\r\n")
}

const MULTIPART: (&str, &str) = ("content-type", "multipart/mixed; boundary=batch_1");

#[tokio::test]
async fn each_request_of_a_batch_is_decided_on_its_own() {
    let world = World::new().await;
    for name in ["a", "b%20c", "kept"] {
        world.upload(name, "x").await;
    }
    let (writer, reader) = ("Authorization: Bearer writer", "Authorization: Bearer reader");
    let body = envelope(&[
        &format!("DELETE /box/a HTTP/1.1\r\n{writer}\r\nContent-Length: 0"),
        &format!("DELETE /box/b%20c HTTP/1.1\r\n{writer}"),
        &format!("DELETE /box/none HTTP/1.1\r\n{writer}"),
        &format!("DELETE /box/kept HTTP/1.1\r\n{reader}"),
        "DELETE /box/kept HTTP/1.1",
        &format!("DELETE /box?restype=container HTTP/1.1\r\n{writer}"),
        &format!("PUT /box/kept HTTP/1.1\r\n{writer}"),
    ]);
    let reply = world.send("reader", "POST", "/?comp=batch", &[MULTIPART], &body).await;
    assert_eq!(reply.status, 202, "{}", reply.text());
    assert!(reply.header("content-type").starts_with("multipart/mixed; boundary=batchresponse_"));
    let text = reply.text();
    let statuses: Vec<&str> = text.split("HTTP/1.1 ").skip(1).map(|rest| &rest[..3]).collect();
    assert_eq!(statuses, ["202", "202", "404", "403", "401", "400", "400"], "{text}");
    assert!(text.contains("Content-ID: 3") && text.contains("<Code>BlobNotFound</Code>"));
    assert_eq!(world.get("/box/kept", &[]).await.text(), "x");
    assert_eq!(world.get("/box/a", &[]).await.status, 404);
}

#[tokio::test]
async fn requests_of_a_batch_are_signed_without_the_version_of_their_envelope() {
    let world = World::new().await;
    world.upload("a", "x").await;
    let date = "Fri, 15 Jan 2027 08:00:00 GMT";
    let text = format!("DELETE\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:{date}\n/acct/box/a");
    let mac = encoded(&world.shared_key("key1", None).sign(text.as_bytes()));
    let one = format!("DELETE /box/a HTTP/1.1\r\nx-ms-date: {date}\r\nAuthorization: SharedKey acct:{mac}");
    let reply = world.send("reader", "POST", "/?comp=batch", &[MULTIPART], &envelope(&[&one])).await;
    assert!(reply.text().contains("HTTP/1.1 202"), "{}", reply.text());
}

#[tokio::test]
async fn batches_have_limits_and_stay_in_their_container() {
    let world = World::new().await;
    world.upload("a", "x").await;
    let send = |target: &'static str, headers: Vec<(&'static str, &'static str)>, body: String| {
        let world = &world;
        async move { world.send("writer", "POST", target, &headers, &body).await }
    };
    let one = "DELETE /box/a HTTP/1.1\r\nAuthorization: Bearer writer";
    for (headers, body) in [
        (vec![], envelope(&[one])),
        (vec![("content-type", "multipart/mixed")], envelope(&[one])),
        (vec![MULTIPART], String::new()),
        (vec![MULTIPART], "--batch_1--\r\n".to_owned()),
        (vec![MULTIPART], envelope(&[one; 257])),
        (vec![MULTIPART], envelope(&["nonsense"])),
    ] {
        assert_eq!(send("/?comp=batch", headers, body).await.code(), "InvalidInput");
    }
    world.send("writer", "PUT", "/other?restype=container", &[], "").await;
    let elsewhere = send("/other?restype=container&comp=batch", vec![MULTIPART], envelope(&[one])).await;
    assert!(elsewhere.status == 202 && elsewhere.text().contains("HTTP/1.1 400"), "{}", elsewhere.text());
    assert_eq!(world.get("/box/a", &[]).await.status, 200);
}

#[tokio::test]
async fn a_list_of_blocks_is_checked_as_it_came() {
    let world = World::new().await;
    world.send("writer", "PUT", "/box/a?comp=block&blockid=QQ%3D%3D", &[], "x").await;
    let list = "<BlockList><Latest>QQ==</Latest></BlockList>";
    let put = |name: &'static str, value: &'static str| {
        let world = &world;
        async move { world.send("writer", "PUT", "/box/a?comp=blocklist", &[(name, value)], list).await }
    };
    assert_eq!(put("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==").await.code(), "Md5Mismatch");
    assert_eq!(put("x-ms-content-crc64", "AAAAAAAAAAA=").await.code(), "Crc64Mismatch");
    assert_eq!(world.get("/box/a", &[]).await.status, 404);
}

#[tokio::test]
async fn a_range_comes_with_its_crc64_when_asked() {
    let world = World::new().await;
    world.upload("a", "x123456789y").await;
    let ask = [("x-ms-range", "bytes=1-9"), ("x-ms-range-get-content-crc64", "true")];
    assert_eq!(world.get("/box/a", &ask).await.header("x-ms-content-crc64"), "iJh5CoYUi64=");
}
