//! Tier and tags.

use crate::world::World;

const BLOCK_BLOB: (&str, &str) = ("x-ms-blob-type", "BlockBlob");

#[tokio::test]
async fn a_tier_is_kept_and_said() {
    let world = World::new().await;
    let put = |tier: &'static str| {
        let world = &world;
        async move { world.send("writer", "PUT", "/box/a", &[BLOCK_BLOB, ("x-ms-access-tier", tier)], "x").await }
    };
    assert_eq!(put("cool").await.status, 201);
    let head = world.get("/box/a", &[]).await;
    assert_eq!((head.header("x-ms-access-tier"), head.header("x-ms-access-tier-inferred")), ("Cool", ""));
    for bad in ["Archive", "P10", "Lukewarm"] {
        assert_eq!(put(bad).await.code(), "InvalidHeaderValue", "{bad}");
    }
    let set = world.send("writer", "PUT", "/box/a?comp=tier", &[("x-ms-access-tier", "Cold")], "").await;
    assert_eq!(set.status, 200);
    let cold = world.get("/box/a", &[]).await;
    assert_eq!((cold.header("x-ms-access-tier"), cold.header("etag")), ("Cold", head.header("etag")));
    world
        .send("writer", "PUT", "/box/a?comp=properties", &[("x-ms-blob-content-type", "text/plain")], "")
        .await;
    assert_eq!(
        world.get("/box/a", &[]).await.header("x-ms-access-tier"),
        "Cold",
        "properties leave it alone"
    );
    let list = world.get("/box?restype=container&comp=list", &[]).await.text();
    assert!(list.contains("<AccessTier>Cold</AccessTier>") && !list.contains("AccessTierInferred"), "{list}");
    world.upload("a", "anew").await;
    assert_eq!(world.get("/box/a", &[]).await.header("x-ms-access-tier-inferred"), "true");
    assert_eq!(
        world.send("reader", "PUT", "/box/a?comp=tier", &[("x-ms-access-tier", "Hot")], "").await.status,
        403
    );
    assert_eq!(
        world.send("writer", "PUT", "/box/none?comp=tier", &[("x-ms-access-tier", "Hot")], "").await.status,
        404
    );
    assert_eq!(
        world.send("writer", "PUT", "/box/a?comp=tier", &[], "").await.code(),
        "MissingRequiredHeader"
    );
}

#[tokio::test]
async fn tags_need_a_right_of_their_own() {
    let world = World::new().await;
    world.grant("tagger", "b7e6dc6d-f1e8-4753-8033-0f276bb0955b").await;
    world.upload("a", "x").await;
    let etag = world.get("/box/a", &[]).await.header("etag").to_owned();
    let tags = "<Tags><TagSet><Tag><Key>k 1</Key><Value>v=2</Value></Tag></TagSet></Tags>";
    assert_eq!(
        world.send("writer", "PUT", "/box/a?comp=tags", &[], tags).await.code(),
        "AuthorizationPermissionMismatch"
    );
    assert_eq!(world.send("tagger", "PUT", "/box/a?comp=tags", &[], tags).await.status, 204);
    let got = world.send("tagger", "GET", "/box/a?comp=tags", &[], "").await;
    assert!(got.status == 200 && got.text().contains("<Key>k 1</Key><Value>v=2</Value>"), "{}", got.text());
    let head = world.get("/box/a", &[]).await;
    assert_eq!((head.header("x-ms-tag-count"), head.header("etag")), ("1", etag.as_str()));
    let put = [BLOCK_BLOB, ("x-ms-tags", "a=b%20c&d=")];
    assert_eq!(
        world.send("writer", "PUT", "/box/b", &put, "x").await.code(),
        "AuthorizationPermissionMismatch"
    );
    assert_eq!(world.send("tagger", "PUT", "/box/b", &put, "x").await.status, 201);
    let got = world.send("tagger", "GET", "/box/b?comp=tags", &[], "").await.text();
    assert!(got.contains("<Key>a</Key><Value>b c</Value>") && got.contains("<Key>d</Key><Value />"), "{got}");
    let list =
        world.send("tagger", "GET", "/box?restype=container&comp=list&include=tags", &[], "").await.text();
    assert!(list.contains("<Tags><TagSet><Tag><Key>a</Key>"), "{list}");
    world.upload("b", "anew").await;
    assert_eq!(
        world.get("/box/b", &[]).await.header("x-ms-tag-count"),
        "",
        "a new blob has none of the old one's"
    );
}

#[tokio::test]
async fn tags_have_rules() {
    let world = World::new().await;
    world.grant("tagger", "b7e6dc6d-f1e8-4753-8033-0f276bb0955b").await;
    world.upload("a", "x").await;
    let eleven: String = (0..11).map(|n| format!("<Tag><Key>k{n}</Key><Value>v</Value></Tag>")).collect();
    let long = "k".repeat(129);
    for (tags, code) in [
        (eleven, "InvalidTag"),
        ("<Tag><Key></Key><Value>v</Value></Tag>".to_owned(), "InvalidXmlDocument"),
        (format!("<Tag><Key>{long}</Key><Value>v</Value></Tag>"), "InvalidTag"),
        ("<Tag><Key>k</Key><Value>ü</Value></Tag>".to_owned(), "InvalidTag"),
        (
            "<Tag><Key>k</Key><Value>1</Value></Tag><Tag><Key>k</Key><Value>2</Value></Tag>".to_owned(),
            "InvalidTag",
        ),
        ("<Tag>".to_owned(), "InvalidXmlDocument"),
    ] {
        let body = format!("<Tags><TagSet>{tags}</TagSet></Tags>");
        assert_eq!(world.send("tagger", "PUT", "/box/a?comp=tags", &[], &body).await.code(), code, "{body}");
    }
    assert_eq!(world.get("/box/a", &[]).await.header("x-ms-tag-count"), "");
}
