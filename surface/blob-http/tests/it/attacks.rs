//! attacks.md, Blob, and tokens that must not open an account.

use cs_serve::{Needs, full};

use crate::world::World;

const BLOCK_BLOB: (&str, &str) = ("x-ms-blob-type", "BlockBlob");

#[tokio::test]
async fn no_token_is_challenged_as_node_reads_it() {
    let world = World::new().await;
    let reply = world.send("", "PUT", "/box/a", &[BLOCK_BLOB], "x").await;
    assert_eq!((reply.status, reply.code()), (401, "NoAuthenticationInformation"));
    assert_eq!(
        reply.header("www-authenticate"),
        "Bearer authorization_uri=https://login.s.example/00000000-0000-0000-0000-000000000001/oauth2/authorize \
         resource_id=https://storage.azure.com"
    );
}

#[tokio::test]
async fn b25_b26_tokens_of_others_are_refused() {
    let world = World::new().await;
    for (token, detail) in [
        ("arm", "Audience validation failed. Audience did not match."),
        ("stranger", "Issuer validation failed. Issuer did not match."),
        ("expired", "Lifetime validation failed. The token is expired."),
        ("forged", "Signature validation failed."),
    ] {
        let reply = world.get_as(token).await;
        assert_eq!((reply.status, reply.code()), (401, "InvalidAuthenticationInfo"), "{token}");
        assert!(reply.text().contains(detail) && !reply.header("www-authenticate").is_empty());
    }
}

impl World {
    async fn get_as(&self, token: &str) -> crate::world::Reply {
        self.send(token, "GET", "/box/a", &[], "").await
    }
}

#[tokio::test]
async fn the_callers_knock_on_every_door() {
    let world = World::new().await;
    for door in cs_blob_http::doors() {
        let batch = matches!(door.needs, Needs::Token(_));
        assert!(
            batch || matches!(door.needs, Needs::Action(_) | Needs::Data { .. }),
            "h10: {} {}",
            door.method,
            door.path
        );
        let path = door.path.replace("{container}", "box").replace("{blob**}", "there");
        let query: Vec<String> = door
            .query
            .split('&')
            .filter(|q| !q.is_empty() && !q.starts_with('!'))
            .map(|q| if q == "comp" { "comp=acl".to_owned() } else { q.to_owned() })
            .collect();
        let target = format!("{path}?{}", query.join("&"));
        let knock = |token: &'static str| world.send(token, door.method, &target, &[], "");
        assert_eq!(knock("").await.status, 401, "{} {target}", door.method);
        assert_eq!(knock("stranger").await.status, 401, "{} {target}", door.method);
        let nobody = knock("nobody").await;
        if batch {
            assert_eq!(
                (nobody.status, nobody.code()),
                (400, "InvalidInput"),
                "an envelope is of no use by itself"
            );
            continue;
        }
        assert_eq!(
            (nobody.status, nobody.code()),
            (403, "AuthorizationPermissionMismatch"),
            "{} {target}",
            door.method
        );
    }
}

#[tokio::test]
async fn an_owner_manages_containers_but_reads_no_blob() {
    let world = World::new().await;
    world.upload("a", "x").await;
    assert_eq!(world.send("owner", "PUT", "/other?restype=container", &[], "").await.status, 201);
    assert_eq!(world.send("owner", "GET", "/box/a", &[], "").await.code(), "AuthorizationPermissionMismatch");
    assert_eq!(world.send("reader", "PUT", "/box/b", &[BLOCK_BLOB], "x").await.status, 403);
}

#[tokio::test]
async fn f08_names_stay_names() {
    let world = World::new().await;
    for name in [
        "..",
        "%2e%2e/%2e%2e/etc/passwd",
        "a//b",
        "a/./b",
        "a/../b",
        ".",
        "a%20b%2B%C3%BC.txt",
        "%25",
        "trailing/",
        "a+b",
    ] {
        assert_eq!(world.upload(name, name).await.status, 201, "{name}");
        assert_eq!(world.get(&format!("/box/{name}"), &[]).await.text(), name);
    }
    assert_eq!(world.get("/box/a/b", &[]).await.status, 404, "dots are not resolved");
    for bad in ["a%00b", "%zz", "%ff"] {
        assert_eq!(world.upload(bad, "x").await.status, 400, "{bad}");
    }
    assert_eq!(world.upload(&"x".repeat(1025), "x").await.code(), "OutOfRangeInput");
}

#[tokio::test]
async fn f09_block_ids_and_lists() {
    let world = World::new().await;
    let put = |id: &str| format!("/box/a?comp=block&blockid={id}");
    assert_eq!(world.send("writer", "PUT", &put("QQ%3D%3D"), &[], "x").await.status, 201);
    let longer = world.send("writer", "PUT", &put("QUFBQQ%3D%3D"), &[], "x").await;
    assert_eq!((longer.status, longer.code()), (400, "InvalidBlobOrBlock"));
    for bad in ["", "%21", "QQ", &"QUFB".repeat(22)] {
        assert_eq!(
            world.send("writer", "PUT", &put(bad), &[], "x").await.code(),
            "InvalidQueryParameterValue",
            "{bad}"
        );
    }
    let commit = |list: String| async move { list };
    for (list, code) in [
        ("<BlockList><Latest>Wg==</Latest></BlockList>".to_owned(), "InvalidBlockList"),
        ("<BlockList><Latest>QQ==</Latest>".to_owned(), "InvalidXmlDocument"),
        (format!("<BlockList>{}</BlockList>", "<Latest>QQ==</Latest>".repeat(50_001)), "BlockListTooLong"),
    ] {
        let reply = world.send("writer", "PUT", "/box/a?comp=blocklist", &[], &commit(list).await).await;
        assert_eq!((reply.status, reply.code()), (400, code));
    }
    world.upload("b", "x").await;
    let foreign = world
        .send("writer", "PUT", "/box/b?comp=blocklist", &[], "<BlockList><Latest>QQ==</Latest></BlockList>")
        .await;
    assert_eq!(foreign.code(), "InvalidBlockList", "a block of another blob");
}

#[tokio::test]
async fn f10_ranges_beyond_everything() {
    let world = World::new().await;
    world.upload("a", "0123456789").await;
    for (range, status) in [
        ("bytes=0-18446744073709551615", 206),
        ("bytes=18446744073709551615-", 416),
        ("bytes=0-1,4-5", 200),
        ("bytes=10-", 416),
    ] {
        assert_eq!(world.get("/box/a", &[("Range", range)]).await.status, status, "{range}");
    }
}

#[tokio::test]
async fn f12_of_many_creators_one_wins() {
    let world = std::sync::Arc::new(World::new().await);
    let tries = (0..16).map(|n| {
        let world = std::sync::Arc::clone(&world);
        tokio::spawn(async move {
            let headers = [BLOCK_BLOB, ("If-None-Match", "*")];
            let reply = world.send("writer", "PUT", "/box/one", &headers, &format!("{n}")).await;
            (reply.status, reply.code().to_owned())
        })
    });
    let mut won = 0;
    for tried in tries.collect::<Vec<_>>() {
        match tried.await.unwrap() {
            (201, _) => won += 1,
            (status, code) => assert_eq!((status, code.as_str()), (409, "BlobAlreadyExists")),
        }
    }
    assert_eq!(won, 1);
    let stale = world.send("writer", "PUT", "/box/one", &[BLOCK_BLOB, ("If-Match", "\"0x8\"")], "x").await;
    assert_eq!((stale.status, stale.code()), (412, "ConditionNotMet"));
    let etag = world.get("/box/one", &[]).await.header("etag").to_owned();
    let same = world.get("/box/one", &[("If-None-Match", &etag)]).await;
    assert_eq!((same.status, same.body.len()), (304, 0));
    let both = world.get("/box/one", &[("If-None-Match", &etag), ("If-Match", &etag)]).await;
    assert_eq!(both.code(), "MultipleConditionHeadersNotSupported");
}

#[tokio::test]
async fn f15_a_token_over_plain_http_is_refused() {
    let world = World::new().await;
    let headers = [("x-ms-version", "2020-10-02")];
    let reply = world.send_body("reader", "GET", "/box/a", &headers, full(""), false).await;
    assert_eq!((reply.status, reply.code()), (400, "AccountRequiresHttps"));
}

#[tokio::test]
async fn versions_headers_and_bodies_that_are_off() {
    let world = World::new().await;
    for (version, status) in
        [("2026-10-06", 404), ("2017-11-09", 404), ("2015-02-21", 403), ("x", 400), ("2020-1-1", 400)]
    {
        let reply =
            world.send_body("reader", "GET", "/box/a", &[("x-ms-version", version)], full(""), true).await;
        assert_eq!(reply.status, status, "{version}");
    }
    assert!(
        world
            .send_body("reader", "GET", "/box/a", &[], full(""), true)
            .await
            .text()
            .contains("AuthenticationErrorDetail>Authentication scheme Bearer is not supported")
    );
    let world = &world;
    let put = |headers: Vec<(&'static str, &'static str)>| async move {
        world.send("writer", "PUT", "/box/a", &headers, "hello").await
    };
    assert_eq!(put(vec![]).await.code(), "MissingRequiredHeader");
    assert_eq!(put(vec![("x-ms-blob-type", "Other")]).await.code(), "InvalidHeaderValue");
    assert_eq!(put(vec![("x-ms-blob-type", "PageBlob")]).await.status, 501);
    assert_eq!(
        put(vec![BLOCK_BLOB, ("Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA==")]).await.code(),
        "Md5Mismatch"
    );
    assert_eq!(put(vec![BLOCK_BLOB, ("Content-MD5", "x")]).await.code(), "InvalidMd5");
    assert_eq!(put(vec![BLOCK_BLOB, ("x-ms-meta-a-b", "x")]).await.code(), "InvalidMetadata");
    assert_eq!(put(vec![BLOCK_BLOB, ("x-ms-structured-body", "XSM/1.0")]).await.code(), "UnsupportedHeader");
    assert_eq!(world.send("writer", "PUT", "/box/a?comp=snapshot", &[], "").await.code(), "NotImplemented");
    assert_eq!(
        world.send("writer", "PUT", "/box/a?comp=what", &[], "").await.code(),
        "InvalidQueryParameterValue"
    );
    assert_eq!(world.get("/box/a", &[]).await.status, 404, "nothing of all that was kept");
}

#[test]
fn every_door_asks_for_what_the_catalogue_names() {
    let known = |action: &str, is_data| cs_rbac::SERVED_OPERATIONS.contains(&(action, is_data));
    let mut asked = 0;
    for door in cs_blob_http::doors() {
        asked += 1;
        match door.needs {
            Needs::Action(action) => assert!(known(action, false), "{action}"),
            Needs::Data { action, .. } => assert!(known(action, true), "{action}"),
            _ => asked -= 1,
        }
    }
    assert!(asked > 20, "{asked}");
}
