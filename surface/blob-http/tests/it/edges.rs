//! Where a careless server loses data, tells a lie or fetches for a stranger.

use cs_blob::{BlobError, BlobProperties, Conditions, Incoming, NewBlob};
use cs_rbac::{Allowed, Operation};
use cs_store::{AuditLog, AuditOutcome, AuditQuery};

use crate::world::{World, object, tenant};

const BLOCK_BLOB: (&str, &str) = ("x-ms-blob-type", "BlockBlob");

const LEASE: &str = "aaaaaaaa-0000-4000-8000-000000000001";

#[tokio::test]
async fn what_is_not_built_is_not_taken_for_done() {
    let world = World::new().await;
    world.upload("a", "kept").await;
    let send = |method: &'static str, target: &'static str, header: (&'static str, &'static str)| {
        let world = &world;
        async move {
            let reply = world.send("writer", method, target, &[BLOCK_BLOB, header], "").await;
            (reply.status, reply.code().to_owned())
        }
    };
    let none = ("x-none", "");
    for (method, target, header, status, code) in [
        ("DELETE", "/box/a?snapshot=2026-01-01T00:00:00.0000000Z", none, 404, "BlobNotFound"),
        ("DELETE", "/box/a?versionid=1", none, 404, "BlobNotFound"),
        ("GET", "/box/a?snapshot=2026-01-01T00:00:00.0000000Z", none, 404, "BlobNotFound"),
        ("DELETE", "/box/a?comp=what", none, 400, "InvalidQueryParameterValue"),
        ("DELETE", "/box/a", ("x-ms-delete-snapshots", "only"), 202, ""),
        ("DELETE", "/box/a", ("x-ms-delete-snapshots", "other"), 400, "InvalidHeaderValue"),
        ("DELETE", "/box/a", ("x-ms-lease-id", "x"), 400, "InvalidHeaderValue"),
        ("DELETE", "/box/a", ("x-ms-lease-id", LEASE), 412, "LeaseNotPresentWithBlobOperation"),
        ("HEAD", "/box/a", ("x-ms-lease-id", LEASE), 412, "LeaseNotPresentWithBlobOperation"),
        (
            "GET",
            "/box?restype=container",
            ("x-ms-lease-id", LEASE),
            412,
            "LeaseNotPresentWithContainerOperation",
        ),
        ("PUT", "/box/none?comp=lease", ("x-ms-lease-action", "renew"), 400, "MissingRequiredHeader"),
        ("PUT", "/box/a?comp=lease", ("x-ms-lease-action", "keep"), 400, "InvalidHeaderValue"),
        ("PUT", "/box/a?comp=lease", none, 400, "MissingRequiredHeader"),
        ("PUT", "/box/none?comp=lease", ("x-ms-lease-action", "break"), 404, "BlobNotFound"),
        (
            "PUT",
            "/none?restype=container&comp=lease",
            ("x-ms-lease-action", "break"),
            404,
            "ContainerNotFound",
        ),
        (
            "PUT",
            "/box/a?comp=lease",
            ("x-ms-lease-action", "break"),
            409,
            "LeaseNotPresentWithLeaseOperation",
        ),
        ("DELETE", "/box/a", ("x-ms-if-tags", "\"a\"='b'"), 501, "NotImplemented"),
        ("PUT", "/box/a", ("x-ms-tags", "a=b"), 403, "AuthorizationPermissionMismatch"),
        ("PUT", "/box/a", ("x-ms-encryption-key", "AA=="), 409, "UnsupportedHeader"),
        ("PUT", "/box/a", ("x-ms-encryption-scope", "mine"), 409, "UnsupportedHeader"),
        ("PUT", "/box/a", ("x-ms-encryption-algorithm", "AES128"), 400, "InvalidHeaderValue"),
        (
            "PUT",
            "/more?restype=container",
            ("x-ms-blob-public-access", "blob"),
            409,
            "PublicAccessNotPermitted",
        ),
        (
            "DELETE",
            "/box?restype=container",
            ("If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00 GMT"),
            412,
            "ConditionNotMet",
        ),
    ] {
        assert_eq!(
            send(method, target, header).await,
            (status, code.to_owned()),
            "{method} {target} {header:?}"
        );
    }
    assert_eq!(world.get("/box/a", &[]).await.text(), "kept");
}

/// @azure/storage-blob before 12.9 names the algorithm in every request of a blob, with and without a key.
#[tokio::test]
async fn an_algorithm_without_a_key_asks_for_nothing() {
    let world = World::new().await;
    let algorithm = ("x-ms-encryption-algorithm", "AES256");
    let put = world.send("writer", "PUT", "/box/a", &[BLOCK_BLOB, algorithm], "said").await;
    assert_eq!((put.status, put.header("x-ms-request-server-encrypted")), (201, "true"), "{}", put.text());
    assert_eq!(world.get("/box/a", &[algorithm]).await.text(), "said");
    let block = world.send("writer", "PUT", "/box/a?comp=block&blockid=AAAA", &[algorithm], "x").await;
    assert_eq!(block.status, 201, "{}", block.text());
    let key = ("x-ms-encryption-key-sha256", "AA==");
    assert_eq!(world.send("writer", "PUT", "/box/a", &[BLOCK_BLOB, algorithm, key], "").await.status, 409);
}

#[tokio::test]
async fn what_cannot_be_set_is_said_and_not_taken() {
    let world = World::new().await;
    world.grant("tagger", "b7e6dc6d-f1e8-4753-8033-0f276bb0955b").await;
    let service = "/?restype=service&comp=properties";
    let got = world.send("owner", "GET", service, &[], "").await;
    assert!(
        got.status == 200 && got.text().contains("<DeleteRetentionPolicy><Enabled>false</Enabled>"),
        "{}",
        got.text()
    );
    assert_eq!(world.send("owner", "PUT", service, &[], "<StorageServiceProperties/>").await.status, 501);
    let acl = "/box?restype=container&comp=acl";
    let got = world.send("tagger", "GET", acl, &[], "").await;
    assert!(
        got.status == 200 && got.text().ends_with("<SignedIdentifiers />") && !got.header("etag").is_empty()
    );
    assert_eq!(
        world.send("tagger", "GET", "/none?restype=container&comp=acl", &[], "").await.code(),
        "ContainerNotFound"
    );
    assert_eq!(world.send("owner", "PUT", acl, &[], "<SignedIdentifiers/>").await.status, 501);
    assert_eq!(world.send("reader", "GET", acl, &[], "").await.status, 403);
}

#[tokio::test]
async fn content_is_checked_by_crc64_as_by_md5() {
    let world = World::new().await;
    let put = |crc: &'static str| {
        let world = &world;
        async move {
            world
                .send("writer", "PUT", "/box/a", &[BLOCK_BLOB, ("x-ms-content-crc64", crc)], "123456789")
                .await
        }
    };
    let good = put("iJh5CoYUi64=").await;
    assert_eq!((good.status, good.header("x-ms-content-crc64")), (201, "iJh5CoYUi64="));
    let bad = put("AAAAAAAAAAA=").await;
    assert_eq!((bad.status, bad.code()), (400, "Crc64Mismatch"));
    assert!(bad.text().contains("<ServerCalculatedCrc64>iJh5CoYUi64=</ServerCalculatedCrc64>"));
    let both =
        [BLOCK_BLOB, ("x-ms-content-crc64", "iJh5CoYUi64="), ("Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA==")];
    let both = world.send("writer", "PUT", "/box/a", &both, "123456789").await;
    assert_eq!(both.code(), "BothCrc64AndMd5HeaderPresent");
    assert_eq!(put("AAAA").await.code(), "InvalidHeaderValue");
}

#[tokio::test]
async fn a_range_comes_with_its_own_md5_when_asked() {
    let world = World::new().await;
    world.upload("a", "say hello now").await;
    let ask = ("x-ms-range-get-content-md5", "true");
    let part = world.get("/box/a", &[("x-ms-range", "bytes=4-8"), ask]).await;
    assert_eq!((part.text().as_str(), part.header("content-md5")), ("hello", "XUFAKrxLKna5cZ2REBfFkg=="));
    assert_eq!(world.get("/box/a", &[ask]).await.code(), "OutOfRangeInput");
}

#[tokio::test]
async fn metadata_leaves_uncommitted_blocks_alone() {
    let world = World::new().await;
    world.upload("a", "old").await;
    world.send("writer", "PUT", "/box/a?comp=block&blockid=QQ%3D%3D", &[], "new").await;
    assert_eq!(
        world.send("writer", "PUT", "/box/a?comp=metadata", &[("x-ms-meta-k", "v")], "").await.status,
        200
    );
    let list = "<BlockList><Uncommitted>QQ==</Uncommitted></BlockList>";
    assert_eq!(world.send("writer", "PUT", "/box/a?comp=blocklist", &[], list).await.status, 201);
    assert_eq!(world.get("/box/a", &[]).await.text(), "new");
}

#[tokio::test]
async fn blocks_nobody_commits_go_after_a_week() {
    let world = World::new().await;
    world.send("writer", "PUT", "/box/a?comp=block&blockid=QQ%3D%3D", &[], "x").await;
    world.pass(6 * 86_400).await;
    world.blobs.sweep().await.unwrap();
    assert_eq!(world.objects(), 1);
    world.pass(2 * 86_400).await;
    world.blobs.sweep().await.unwrap();
    world.pass(2 * 86_400).await;
    world.blobs.sweep().await.unwrap();
    assert_eq!(world.objects(), 0);
    assert_eq!(world.get("/box/a?comp=blocklist&blocklisttype=all", &[]).await.code(), "BlobNotFound");
}

#[tokio::test]
async fn an_object_whose_row_never_came_is_swept() {
    let world = World::new().await;
    static PIECE: [u8; 8192] = [7; 8192];
    let headers = [("x-ms-version", "2020-10-02"), BLOCK_BLOB];
    let body = crate::world::pieces(&PIECE, 20, false);
    world.send_body("writer", "PUT", "/box/big", &headers, body, true).await;
    // As after a crash between the bytes and the row. The clock of this site stands years behind the file's time.
    let stray = "00000000000000000000000000000abc";
    std::fs::write(world.dir.path().join("objects/00").join(stray), "x").unwrap();
    assert_eq!(world.objects(), 2);
    world.blobs.sweep().await.unwrap();
    assert_eq!(world.objects(), 1);
    assert_eq!(world.get("/box/big", &[]).await.body.len(), 20 * 8192);
}

#[tokio::test]
async fn the_right_to_add_never_writes_over() {
    let world = World::new().await;
    world.upload("a", "first").await;
    let account = world.blobs.account("acct").await.unwrap().unwrap();
    let allowed = Allowed::by_the_site("test", account.scope().clone());
    let op = Operation::invented(tenant(1), object("writer"));
    let add = |name: &str| {
        let new = NewBlob {
            container: "box".into(),
            name: name.into(),
            properties: BlobProperties::default(),
            metadata: vec![],
            conditions: Conditions::default(),
            only_new: true,
        };
        let chunks =
            futures_util::stream::iter([Ok::<_, std::io::Error>(bytes::Bytes::from_static(b"second"))]);
        let incoming = Incoming { chunks, length: None, md5: None, crc64: None };
        world.blobs.put(&op, &allowed, &account, new, incoming)
    };
    assert!(matches!(add("a").await, Err(BlobError::OnlyNew)));
    assert!(add("b").await.is_ok());
    assert_eq!(world.get("/box/a", &[]).await.text(), "first");
}

#[tokio::test]
async fn refusals_are_recorded() {
    let world = World::new().await;
    assert_eq!(world.send("nobody", "GET", "/box/a", &[], "").await.status, 403);
    let query = AuditQuery { caller: Some(object("nobody")), limit: 10, ..AuditQuery::default() };
    let records = world.store.records(tenant(1), query).await.unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].outcome, AuditOutcome::Denied);
    assert!(
        records[0].action.ends_with("/containers/blobs/read")
            && records[0].scope.ends_with("/containers/box")
    );
}

#[tokio::test]
async fn listings_roll_up_large_and_small_groups() {
    let world = World::new().await;
    // One group is larger than a batch of rows, others are not; one name is of the largest character there is.
    for n in 0..300 {
        assert_eq!(world.upload(&format!("big/{n:03}"), "x").await.status, 201);
    }
    for name in ["a/1", "a/2", "b", "c/1", "big", "big0", "%F4%8F%BF%BF", "%F4%8F%BF%BF/x"] {
        assert_eq!(world.upload(name, "x").await.status, 201, "{name}");
    }
    let expected = ["a/", "b", "big", "big/", "big0", "c/", "\u{10ffff}", "\u{10ffff}/"];
    for size in [1, 2, 3, 8, 5000] {
        let (mut seen, mut marker) = (Vec::new(), String::new());
        loop {
            let target =
                format!("/box?restype=container&comp=list&delimiter=/&maxresults={size}&marker={marker}");
            let page = world.get(&target, &[]).await.text();
            let names: Vec<String> =
                page.split("<Name>").skip(1).map(|r| r.split('<').next().unwrap().to_owned()).collect();
            assert!(names.len() <= size, "{page}");
            seen.extend(names);
            match page.split("<NextMarker>").nth(1) {
                Some(next) => marker = next.split('<').next().unwrap().to_owned(),
                None => break,
            }
        }
        assert_eq!(seen, expected, "pages of {size}");
    }
}

#[tokio::test]
async fn texts_no_database_holds_are_the_callers_mistake() {
    let world = World::new().await;
    for query in ["prefix=%00", "delimiter=%00", "marker=1!00", "startFrom=a%00"] {
        let reply = world.get(&format!("/box?restype=container&comp=list&{query}"), &[]).await;
        assert_eq!((reply.status, reply.code()), (400, "InvalidQueryParameterValue"), "{query}");
    }
    let odd = world.get("/box?restype=container&comp=list&prefix=%01", &[]).await;
    assert!(odd.status == 200 && !odd.text().contains('\u{1}'), "what XML cannot hold is not in the answer");
}

#[tokio::test]
async fn d01_no_other_spelling_opens_a_container() {
    let world = World::new().await;
    world.upload("a", "x").await;
    for target in
        ["/Box/a", "//box/a", "/box%2Fa", "/%2e%2e/a", "/box./a", "/b%C3%B6x/a", "/BOX?restype=container"]
    {
        let reply = world.get(target, &[]).await;
        assert!((400..=404).contains(&reply.status) && reply.status != 401, "{target}: {}", reply.status);
    }
    assert_eq!(world.get("/%62ox/a", &[]).await.text(), "x", "an escaped letter is that letter");
}
