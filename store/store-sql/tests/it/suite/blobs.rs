use cs_store::{
    AccountPlace, BlobExpect, BlobNote, BlobProperties, BlobRow, Blobs as _, BlockRow, ContainerRow,
    Expected, Lease, LeaseChange, LeaseKey, LeaseRefusal, Segment, StoreError,
};
use cs_time::Timestamp;
use futures_util::future::join_all;

use crate::world::{NOW, World, label, uuid};

fn place(w: &World) -> AccountPlace {
    AccountPlace { tenant: w.tenant, account: "/subscriptions/s/account".to_owned() }
}

async fn boxed(w: &World) {
    let row =
        ContainerRow { name: "box".into(), etag: "1".into(), modified: NOW, metadata: vec![], lease: None };
    w.store.create_container(&w.allowed(), place(w), row, w.audit("box")).await.unwrap();
}

fn blob(name: &str) -> BlobRow {
    BlobRow {
        container: "box".into(),
        name: name.into(),
        etag: uuid().simple().to_string(),
        created: NOW,
        modified: NOW,
        length: 3,
        properties: BlobProperties { content_type: Some("text/plain".into()), ..BlobProperties::default() },
        metadata: vec![("k".into(), "v".into())],
        inline: Some(b"abc".to_vec()),
        segments: vec![],
        lease: None,
    }
}

fn expected(blob: BlobExpect) -> Expected {
    Expected { blob, lease: LeaseKey::none(NOW) }
}

async fn put(w: &World, row: BlobRow, expect: BlobExpect) -> Result<(), StoreError> {
    w.store.put_blob(&w.allowed(), place(w), row, expected(expect), w.audit("put")).await
}

async fn get(w: &World, name: &str) -> Option<BlobRow> {
    w.store.blob(&w.allowed(), place(w), "box".into(), name.into()).await.unwrap()
}

pub async fn names_sort_by_their_bytes(w: &World) {
    boxed(w).await;
    let names = ["Z", "a", "a/b", "a0", "é", "\u{10000}", "\u{ffff}"];
    for name in names {
        put(w, blob(name), BlobExpect::Any).await.unwrap();
    }
    let mut sorted: Vec<&str> = names.to_vec();
    sorted.sort_by_key(|name| name.as_bytes().to_vec());
    let listed = async |prefix: &str, from: &str, limit| {
        let page =
            w.store.blobs(&w.allowed(), place(w), "box".into(), prefix.into(), from.into(), limit).await;
        page.unwrap().into_iter().map(|b| b.name).collect::<Vec<_>>()
    };
    assert_eq!(listed("", "", 100).await, sorted);
    assert_eq!(listed("", "a/b", 2).await, ["a/b", "a0"], "from is inclusive");
    assert_eq!(listed("a", "", 100).await, ["a", "a/b", "a0"]);
    assert_eq!(listed("%", "", 100).await, Vec::<String>::new(), "a prefix is no pattern");
    let head = w.store.blob_head(&w.allowed(), place(w), "box".into(), "a".into()).await.unwrap().unwrap();
    assert_eq!((head.inline, head.length), (None, 3));
    assert_eq!(get(w, "A").await, None, "case matters");
}

pub async fn conditions_are_kept(w: &World) {
    boxed(w).await;
    let first = blob("b");
    put(w, first.clone(), BlobExpect::Absent).await.unwrap();
    assert_eq!(get(w, "b").await.unwrap(), first);
    let refused = |r: Result<(), StoreError>| assert!(matches!(r, Err(StoreError::Conflict(_))), "{r:?}");
    refused(put(w, blob("b"), BlobExpect::Absent).await);
    refused(put(w, blob("b"), BlobExpect::Etag("other".into())).await);
    refused(put(w, blob("new"), BlobExpect::Etag("other".into())).await);
    assert_eq!(get(w, "b").await.unwrap(), first, "refused writes change nothing");
    let second = blob("b");
    put(w, second.clone(), BlobExpect::Etag(first.etag)).await.unwrap();
    assert_eq!(get(w, "b").await.unwrap().etag, second.etag);
    let homeless = BlobRow { container: "nowhere".into(), ..blob("b") };
    assert!(matches!(put(w, homeless, BlobExpect::Any).await, Err(StoreError::Missing(_))));
}

pub async fn one_of_many_creators_of_a_blob_wins(w: &World) {
    boxed(w).await;
    let results = join_all((0..8).map(|_| put(w, blob("raced"), BlobExpect::Absent))).await;
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 1, "{results:?}");
    let lost = results.iter().flat_map(|r| r.as_ref().err());
    assert!(lost.into_iter().all(|e| matches!(e, StoreError::Conflict(_))), "{results:?}");
}

pub async fn notes_leave_the_blob_as_it_is(w: &World) {
    boxed(w).await;
    let row = blob("b");
    put(w, row.clone(), BlobExpect::Any).await.unwrap();
    let note = async |name: &str, note: BlobNote| {
        w.store
            .note_blob(
                &w.allowed(),
                place(w),
                "box".into(),
                name.into(),
                note,
                LeaseKey::none(NOW),
                w.audit("note"),
            )
            .await
            .unwrap()
    };
    assert!(note("b", BlobNote { tier: Some("Cool".into()), tags: None }).await);
    let tags = vec![("k".to_owned(), "v".to_owned())];
    assert!(note("b", BlobNote { tier: None, tags: Some(tags.clone()) }).await);
    assert!(!note("none", BlobNote::default()).await);
    let properties = BlobProperties { access_tier: Some("Cool".into()), tags, ..row.properties.clone() };
    assert_eq!(get(w, "b").await.unwrap(), BlobRow { properties, ..row });
}

pub async fn what_a_write_replaced_is_given_up(w: &World) {
    boxed(w).await;
    let (old, block, unknown) = (label(), label(), label());
    let segment = Segment { id: String::new(), key: old.clone(), length: 3, crc: 7 };
    put(w, BlobRow { inline: None, segments: vec![segment], ..blob("b") }, BlobExpect::Any).await.unwrap();
    let waiting = BlockRow { id: "AA==".into(), key: block.clone(), length: 3, crc: u64::MAX };
    let (lease, name) = (LeaseKey::none(NOW), "b".to_owned());
    w.store
        .put_block(&w.allowed(), place(w), "box".into(), name, waiting, lease, w.audit("block"))
        .await
        .unwrap();
    let keys = vec![old.clone(), block.clone(), unknown.clone()];
    assert_eq!(w.store.unknown_objects(keys.clone()).await.unwrap(), std::slice::from_ref(&unknown));

    put(w, blob("b"), BlobExpect::Any).await.unwrap();
    let mut given_up = w.store.given_up(NOW.plus_seconds(1), 10_000).await.unwrap();
    given_up.retain(|key| keys.contains(key));
    given_up.sort();
    let mut wanted = vec![old, block];
    wanted.sort();
    assert_eq!(given_up, wanted);
    w.store.forget_objects(wanted.clone()).await.unwrap();
    assert_eq!(w.store.unknown_objects(wanted.clone()).await.unwrap().len(), 2);
}

pub async fn a_container_takes_its_blobs_along(w: &World) {
    boxed(w).await;
    put(w, blob("b"), BlobExpect::Any).await.unwrap();
    let twin =
        ContainerRow { name: "box".into(), etag: "2".into(), modified: NOW, metadata: vec![], lease: None };
    let refused = w.store.create_container(&w.allowed(), place(w), twin, w.audit("box")).await;
    assert!(matches!(refused, Err(StoreError::Exists(_))), "{refused:?}");
    let remove = async || {
        w.store
            .remove_container(&w.allowed(), place(w), "box".into(), LeaseKey::none(NOW), w.audit("rm"))
            .await
            .unwrap()
    };
    assert!(remove().await);
    assert!(!remove().await, "once only");
    boxed(w).await;
    assert_eq!(get(w, "b").await, None, "a new container is empty");
}

async fn put_block(w: &World, id: &str, key: &str, at: Timestamp) {
    let block = BlockRow { id: id.into(), key: key.into(), length: 3, crc: u64::MAX - 1 };
    let (name, lease) = ("b".to_owned(), LeaseKey::none(at));
    w.store
        .put_block(&w.allowed(), place(w), "box".into(), name, block, lease, w.audit("block"))
        .await
        .unwrap();
}

async fn blocks(w: &World, limit: u32) -> Vec<BlockRow> {
    w.store.blocks(&w.allowed(), place(w), "box".into(), "b".into(), limit).await.unwrap()
}

pub async fn describing_leaves_content_and_blocks(w: &World) {
    boxed(w).await;
    let first = blob("b");
    put(w, first.clone(), BlobExpect::Any).await.unwrap();
    put_block(w, "AA==", &label(), NOW).await;
    let told = BlobRow { etag: "2".into(), metadata: vec![], inline: None, length: 99, ..first.clone() };
    let describe = async |expect: String| {
        let expect = expected(BlobExpect::Etag(expect));
        w.store.describe_blob(&w.allowed(), place(w), told.clone(), expect, w.audit("tell")).await
    };
    describe(first.etag.clone()).await.unwrap();
    let now = get(w, "b").await.unwrap();
    assert_eq!(now, BlobRow { etag: "2".into(), metadata: vec![], ..first.clone() });
    assert!(matches!(describe(first.etag.clone()).await, Err(StoreError::Conflict(_))), "an older ETag");
    assert_eq!(blocks(w, 10).await.len(), 1);
}

pub async fn blocks_are_kept_until_nobody_adds_any(w: &World) {
    boxed(w).await;
    let (replaced, one, two) = (label(), label(), label());
    let late = NOW.plus_seconds(10);
    put_block(w, "AA==", &replaced, NOW).await;
    put_block(w, "AA==", &one, NOW).await;
    put_block(w, "AQ==", &two, late).await;
    let all = blocks(w, 10).await;
    assert_eq!(all.iter().map(|b| b.key.as_str()).collect::<Vec<_>>(), [one.as_str(), two.as_str()]);
    assert_eq!((all[0].crc, blocks(w, 1).await.len()), (u64::MAX - 1, 1));
    // The newest block keeps the older ones alive. Other cases of the shared database may have stale blocks too.
    w.store.drop_stale_blocks(late, late).await.unwrap();
    assert_eq!(blocks(w, 10).await.len(), 2);
    w.store.drop_stale_blocks(late.plus_seconds(1), late).await.unwrap();
    assert_eq!(blocks(w, 10).await, []);
    let given_up = w.store.given_up(late.plus_seconds(1), 10_000).await.unwrap();
    assert!([replaced, one, two].iter().all(|key| given_up.contains(key)), "{given_up:?}");
}

pub async fn a_lease_is_changed_by_one_and_outlives_writes_of_its_holder(w: &World) {
    boxed(w).await;
    put(w, blob("b"), BlobExpect::Any).await.unwrap();
    let held = |id: &str| Lease {
        id: id.into(),
        seconds: Some(60),
        ends: Some(NOW.plus_seconds(60)),
        breaking: false,
    };
    let change = async |blob: Option<&str>, was: Option<Lease>, becomes: Option<Lease>| {
        let (change, blob) = (LeaseChange { was, becomes }, blob.map(str::to_owned));
        w.store.change_lease(&w.allowed(), place(w), "box".into(), blob, change, w.audit("lease")).await
    };
    let raced = join_all(["1", "2", "3"].map(|id| change(Some("b"), None, Some(held(id))))).await;
    assert_eq!(raced.iter().filter(|r| **r == Ok(true)).count(), 1, "{raced:?}");
    let lease = get(w, "b").await.unwrap().lease.unwrap();
    assert!(!change(Some("none"), None, None).await.unwrap());

    let refused = put(w, blob("b"), BlobExpect::Any).await;
    assert_eq!(refused, Err(StoreError::Leased(LeaseRefusal::Missing)));
    let key = |id: &str, seconds| LeaseKey { id: Some(id.into()), at: NOW.plus_seconds(seconds) };
    let put_as = async |lease: LeaseKey| {
        let expect = Expected { blob: BlobExpect::Any, lease };
        w.store.put_blob(&w.allowed(), place(w), blob("b"), expect, w.audit("put")).await
    };
    assert_eq!(put_as(key("other", 0)).await, Err(StoreError::Leased(LeaseRefusal::Mismatch)));
    put_as(key(&lease.id, 0)).await.unwrap();
    assert_eq!(get(w, "b").await.unwrap().lease.as_ref(), Some(&lease), "the holder holds it still");
    put_as(LeaseKey::none(NOW.plus_seconds(60))).await.unwrap();
    assert_eq!(get(w, "b").await.unwrap().lease, None, "one that has ended is gone with the next write");

    change(None, None, Some(held("box"))).await.unwrap();
    let remove = async |lease| {
        w.store.remove_container(&w.allowed(), place(w), "box".into(), lease, w.audit("rm")).await
    };
    assert_eq!(remove(LeaseKey::none(NOW)).await, Err(StoreError::Leased(LeaseRefusal::Missing)));
    assert_eq!(remove(key("box", 0)).await, Ok(true));
}
