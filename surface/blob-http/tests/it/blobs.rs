//! Blobs as clients use them.

use crate::world::{World, pieces};

const BLOCK_BLOB: (&str, &str) = ("x-ms-blob-type", "BlockBlob");

#[tokio::test]
async fn put_get_head_and_delete() {
    let world = World::new().await;
    let put = world.upload("a.txt", "hello").await;
    assert_eq!((put.status, put.header("content-md5")), (201, "XUFAKrxLKna5cZ2REBfFkg=="));
    let got = world.get("/box/a.txt", &[]).await;
    assert_eq!((got.status, got.text().as_str(), got.header("x-ms-blob-type")), (200, "hello", "BlockBlob"));
    assert_eq!((got.header("etag"), got.header("x-ms-version")), (put.header("etag"), "2020-10-02"));
    let head = world.send("reader", "HEAD", "/box/a.txt", &[], "").await;
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, "5", 0));
    assert_eq!(world.send("writer", "DELETE", "/box/a.txt", &[], "").await.status, 202);
    let gone = world.send("reader", "HEAD", "/box/a.txt", &[], "").await;
    assert_eq!((gone.status, gone.code(), gone.body.len()), (404, "BlobNotFound", 0));
}

#[tokio::test]
async fn ranges_as_python_asks_for_them() {
    let world = World::new().await;
    world.upload("a", "0123456789").await;
    let first = world.get("/box/a", &[("x-ms-range", "bytes=0-33554431"), ("Range", "bytes=5-6")]).await;
    assert_eq!(
        (first.status, first.text().as_str(), first.header("content-range")),
        (206, "0123456789", "bytes 0-9/10")
    );
    assert_eq!((first.header("x-ms-blob-content-md5").is_empty(), first.header("content-md5")), (false, ""));
    assert_eq!(world.get("/box/a", &[("Range", "bytes=3-4")]).await.text(), "34");
    world.upload("empty", "").await;
    let empty = world.get("/box/empty", &[("x-ms-range", "bytes=0-33554431")]).await;
    assert_eq!(
        (empty.status, empty.code(), empty.header("content-range")),
        (416, "InvalidRange", "bytes */0")
    );
    assert_eq!(world.get("/box/empty", &[]).await.status, 200);
}

#[tokio::test]
async fn large_content_goes_to_files_and_comes_back() {
    let world = World::new().await;
    static PIECE: [u8; 8192] = [7; 8192];
    let headers = [("x-ms-version", "2020-10-02"), BLOCK_BLOB];
    let put = world.send_body("writer", "PUT", "/box/big", &headers, pieces(&PIECE, 1000, false), true).await;
    assert_eq!(put.status, 201, "{}", put.text());
    assert_eq!(world.objects(), 1);
    let got = world.get("/box/big", &[]).await;
    assert!(got.body.len() == 8_192_000 && got.body.iter().all(|b| *b == 7));
    let part = world.get("/box/big", &[("Range", "bytes=8191990-")]).await;
    assert_eq!((part.status, part.body.len()), (206, 10));
    world.upload("big", "small now").await;
    assert_eq!(world.objects(), 1, "readers of the old content may still be at it");
    world.pass(4000).await;
    world.blobs.sweep().await.unwrap();
    assert_eq!(world.objects(), 0);
    assert_eq!(world.get("/box/big", &[]).await.text(), "small now");
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_what_was_there() {
    let world = World::new().await;
    world.upload("a", "old").await;
    static PIECE: [u8; 65_536] = [1; 65_536];
    let headers = [("x-ms-version", "2020-10-02"), BLOCK_BLOB];
    let broken = world.send_body("writer", "PUT", "/box/a", &headers, pieces(&PIECE, 20, true), true).await;
    assert_eq!(broken.status, 400);
    assert_eq!(world.get("/box/a", &[]).await.text(), "old");
    // The unfinished file goes as soon as its upload is dropped; the writer thread may hold it a moment longer.
    while world.objects() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn metadata_and_properties() {
    let world = World::new().await;
    let headers = [
        BLOCK_BLOB,
        ("x-ms-meta-Colour", "red"),
        ("Content-Type", "text/plain"),
        ("x-ms-blob-content-type", "text/html"),
    ];
    world.send("writer", "PUT", "/box/a", &headers, "x").await;
    let head = world.send("reader", "HEAD", "/box/a", &[], "").await;
    assert_eq!((head.header("x-ms-meta-colour"), head.header("content-type")), ("red", "text/html"));
    let etag = head.header("etag").to_owned();
    let set = world.send("writer", "PUT", "/box/a?comp=metadata", &[("x-ms-meta-size", "big")], "").await;
    assert!(set.status == 200 && set.header("etag") != etag);
    let head = world.send("reader", "HEAD", "/box/a?comp=metadata", &[], "").await;
    assert_eq!((head.header("x-ms-meta-colour"), head.header("x-ms-meta-size")), ("", "big"));
    assert_eq!(world.send("writer", "PUT", "/box/a?comp=properties", &[], "").await.status, 200);
    let got = world.get("/box/a", &[]).await;
    assert_eq!((got.header("content-type"), got.text().as_str()), ("application/octet-stream", "x"));
}

#[tokio::test]
async fn listing_with_prefix_delimiter_and_pages() {
    let world = World::new().await;
    for name in ["d/a.txt", "d/sub/x", "d/sub/y", "d/z", "e", "d%2F%C3%BC%20%2B"] {
        assert_eq!(world.upload(name, "x").await.status, 201, "{name}");
    }
    let all = world.get("/box?restype=container&comp=list", &[]).await.text();
    let names: Vec<&str> = all.split("<Name>").skip(1).map(|r| r.split('<').next().unwrap()).collect();
    assert_eq!(names, ["d/a.txt", "d/sub/x", "d/sub/y", "d/z", "d/ü +", "e"]);
    let mut seen = Vec::new();
    let mut marker = String::new();
    loop {
        let page = world
            .get(
                &format!(
                    "/box?restype=container&comp=list&prefix=d/&delimiter=/&maxresults=1&marker={marker}"
                ),
                &[],
            )
            .await
            .text();
        seen.push(page.split("<Name>").nth(1).unwrap().split('<').next().unwrap().to_owned());
        match page.split("<NextMarker>").nth(1) {
            Some(next) => marker = next.split('<').next().unwrap().to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, ["d/a.txt", "d/sub/", "d/z", "d/ü +"]);
    let empty = world.get("/box?restype=container&comp=list&prefix=none", &[]).await.text();
    assert!(empty.contains("<Blobs></Blobs><NextMarker />"), "{empty}");
    assert_eq!(
        world.get("/box?restype=container&comp=list&maxresults=0", &[]).await.code(),
        "OutOfRangeQueryParameterValue"
    );
    assert_eq!(
        world.get("/box?restype=container&comp=list&marker=x", &[]).await.code(),
        "InvalidQueryParameterValue"
    );
}

#[tokio::test]
async fn blocks_become_a_blob_in_one_step() {
    let world = World::new().await;
    world.upload("a", "old").await;
    for (id, text) in [("QQ==", "first "), ("Qg==", "second"), ("Qw==", "unused")] {
        let target = format!("/box/a?comp=block&blockid={}", id.replace('=', "%3D"));
        assert_eq!(world.send("writer", "PUT", &target, &[], text).await.status, 201);
    }
    assert_eq!(world.get("/box/a", &[]).await.text(), "old");
    let list = "<?xml version='1.0' encoding='utf-8'?>\n<BlockList><Latest>QQ==</Latest><Uncommitted>Qg==</Uncommitted></BlockList>";
    let put = world
        .send("writer", "PUT", "/box/a?comp=blocklist", &[("x-ms-blob-content-type", "text/plain")], list)
        .await;
    assert_eq!(put.status, 201, "{}", put.text());
    let got = world.get("/box/a", &[]).await;
    assert_eq!((got.text().as_str(), got.header("content-type")), ("first second", "text/plain"));
    let blocks = world.get("/box/a?comp=blocklist&blocklisttype=all", &[]).await.text();
    assert!(
        blocks.contains("<Name>Qg==</Name><Size>6</Size>")
            && blocks.contains("<UncommittedBlocks></UncommittedBlocks>")
    );
    assert_eq!(world.get("/box/a", &[("Range", "bytes=4-8")]).await.text(), "t sec");
    let again = "<BlockList><Committed>Qg==</Committed></BlockList>";
    world.send("writer", "PUT", "/box/a?comp=blocklist", &[], again).await;
    assert_eq!(world.get("/box/a", &[]).await.text(), "second");
}

#[tokio::test]
async fn containers() {
    let world = World::new().await;
    let again = world.send("writer", "PUT", "/box?restype=container", &[], "").await;
    assert_eq!((again.status, again.code()), (409, "ContainerAlreadyExists"));
    assert_eq!(world.get("/box?restype=container", &[]).await.status, 200);
    assert_eq!(world.get("/none?restype=container", &[]).await.code(), "ContainerNotFound");
    let list = world.get("/?comp=list", &[]).await.text();
    assert!(
        list.contains("<Name>box</Name>")
            && list.contains("ServiceEndpoint=\"https://acct.blob.core.s.example/\""),
        "{list}"
    );
    world.upload("a", "x").await;
    assert_eq!(world.send("writer", "DELETE", "/box?restype=container", &[], "").await.status, 202);
    assert_eq!(world.get("/box/a", &[]).await.code(), "ContainerNotFound");
    assert_eq!(world.upload("a", "x").await.code(), "ContainerNotFound");
    for (name, code) in
        [("Box", "InvalidResourceName"), ("ab", "OutOfRangeInput"), ("a--b", "InvalidResourceName")]
    {
        let reply = world.send("writer", "PUT", &format!("/{name}?restype=container"), &[], "").await;
        assert_eq!((reply.status, reply.code()), (400, code), "{name}");
    }
}
