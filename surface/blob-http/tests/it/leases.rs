//! Leases through whole requests (blob.md 5, Lease).

use crate::world::{Reply, World};

const BLOCK_BLOB: (&str, &str) = ("x-ms-blob-type", "BlockBlob");
const MINE: &str = "aaaaaaaa-0000-4000-8000-000000000001";
const OTHER: &str = "bbbbbbbb-0000-4000-8000-000000000002";

async fn lease(world: &World, target: &str, headers: &[(&str, &str)]) -> Reply {
    world.send("writer", "PUT", target, headers, "").await
}

async fn acquire(world: &World, target: &str, seconds: &str, id: &str) -> Reply {
    let headers =
        [("x-ms-lease-action", "acquire"), ("x-ms-lease-duration", seconds), ("x-ms-proposed-lease-id", id)];
    lease(world, target, &headers).await
}

async fn with_blob() -> World {
    let world = World::new().await;
    assert_eq!(world.send("writer", "PUT", "/box/state", &[BLOCK_BLOB], "one").await.status, 201);
    world
}

#[tokio::test]
async fn who_holds_a_blob_writes_it_alone() {
    let world = with_blob().await;
    let before = world.get("/box/state", &[]).await;
    let taken = acquire(&world, "/box/state?comp=lease", "30", &MINE.to_uppercase()).await;
    assert_eq!((taken.status, taken.header("x-ms-lease-id")), (201, MINE));
    assert_eq!(taken.header("etag"), before.header("etag"), "a lease is no change");
    let tags = "<Tags><TagSet /></Tags>";
    for (method, target, body) in [
        ("PUT", "/box/state", "two"),
        ("PUT", "/box/state?comp=block&blockid=AA%3D%3D", "two"),
        ("PUT", "/box/state?comp=blocklist", "<BlockList />"),
        ("PUT", "/box/state?comp=metadata", ""),
        ("PUT", "/box/state?comp=properties", ""),
        ("DELETE", "/box/state", ""),
    ] {
        for (id, code) in [("", "LeaseIdMissing"), (OTHER, "LeaseIdMismatchWithBlobOperation")] {
            let sent = world.send("writer", method, target, &[BLOCK_BLOB, ("x-ms-lease-id", id)], body).await;
            assert_eq!((sent.status, sent.code()), (412, code), "{method} {target}");
        }
    }
    assert_eq!(world.send("tagger", "PUT", "/box/state?comp=tags", &[], tags).await.status, 403);
    let read = world.get("/box/state", &[]).await;
    assert_eq!((read.text().as_str(), read.header("x-ms-lease-status")), ("one", "locked"));
    assert_eq!((read.header("x-ms-lease-state"), read.header("x-ms-lease-duration")), ("leased", "fixed"));
    assert_eq!(world.get("/box/state", &[("x-ms-lease-id", OTHER)]).await.status, 412);
    let mine = [BLOCK_BLOB, ("x-ms-lease-id", MINE)];
    assert_eq!(world.send("writer", "PUT", "/box/state", &mine, "two").await.status, 201);
    assert_eq!(world.get("/box/state", &mine[1..]).await.text(), "two");
    assert!(
        world.get("/box?restype=container&comp=list", &[]).await.text().contains("<LeaseDuration>fixed<")
    );
    assert_eq!(world.send("writer", "DELETE", "/box/state", &mine, "").await.status, 202);
    assert_eq!(
        world.send("writer", "PUT", "/box/state", &[BLOCK_BLOB], "new").await.status,
        201,
        "and its lease"
    );
}

#[tokio::test]
async fn a_lease_ends_by_time_and_by_a_write_of_others() {
    let world = with_blob().await;
    let target = "/box/state?comp=lease";
    acquire(&world, target, "15", MINE).await;
    let mine = |action| [("x-ms-lease-action", action), ("x-ms-lease-id", MINE)];
    world.pass(14).await;
    assert_eq!(lease(&world, target, &mine("renew")).await.status, 200);
    world.pass(15).await;
    assert_eq!(world.get("/box/state", &[]).await.header("x-ms-lease-state"), "expired");
    let late = [BLOCK_BLOB, ("x-ms-lease-id", MINE)];
    assert_eq!(world.send("writer", "PUT", "/box/state", &late, "x").await.code(), "LeaseLost");
    assert_eq!(lease(&world, target, &mine("renew")).await.status, 200, "nobody wrote meanwhile");
    world.pass(16).await;
    assert_eq!(world.send("writer", "PUT", "/box/state", &[BLOCK_BLOB], "two").await.status, 201);
    assert_eq!(world.get("/box/state", &[]).await.header("x-ms-lease-state"), "available");
    assert_eq!(lease(&world, target, &mine("renew")).await.code(), "LeaseIdMismatchWithLeaseOperation");
}

#[tokio::test]
async fn f12_breaking_lets_others_in_after_its_period() {
    let world = with_blob().await;
    let target = "/box/state?comp=lease";
    acquire(&world, target, "-1", MINE).await;
    assert_eq!(acquire(&world, target, "15", OTHER).await.code(), "LeaseAlreadyPresent");
    let broken =
        lease(&world, target, &[("x-ms-lease-action", "break"), ("x-ms-lease-break-period", "20")]).await;
    assert_eq!((broken.status, broken.header("x-ms-lease-time")), (202, "20"));
    assert_eq!(acquire(&world, target, "15", OTHER).await.code(), "LeaseAlreadyPresent");
    assert_eq!(acquire(&world, target, "15", MINE).await.code(), "LeaseIsBreakingAndCannotBeAcquired");
    world.pass(20).await;
    assert_eq!(acquire(&world, target, "15", OTHER).await.status, 201);
    for seconds in ["0", "14", "61", "-2", "x", "99999999999999999999"] {
        assert_eq!(acquire(&world, target, seconds, OTHER).await.code(), "InvalidHeaderValue", "{seconds}");
    }
    assert_eq!(acquire(&world, target, "15", "x").await.code(), "InvalidHeaderValue");
    let reader = world.send("reader", "PUT", target, &[("x-ms-lease-action", "break")], "").await;
    assert_eq!(reader.status, 403, "whoever may not write may not break either");
}

#[tokio::test]
async fn f12_one_of_many_gets_the_lease() {
    let world = with_blob().await;
    let ids: Vec<String> = (0..8).map(|n| format!("aaaaaaaa-0000-4000-8000-00000000000{n}")).collect();
    let all = ids.iter().map(|id| acquire(&world, "/box/state?comp=lease", "60", id));
    let taken = futures_util::future::join_all(all).await;
    assert_eq!(taken.iter().filter(|reply| reply.status == 201).count(), 1);
    assert!(taken.iter().all(|r| r.status == 201 || r.code() == "LeaseAlreadyPresent"));
}

#[tokio::test]
async fn a_held_container_is_removed_by_its_holder_alone() {
    let world = with_blob().await;
    let target = "/box?restype=container&comp=lease";
    assert_eq!(acquire(&world, target, "-1", MINE).await.status, 201);
    let shown = world.get("/box?restype=container", &[]).await;
    assert_eq!(
        (shown.header("x-ms-lease-state"), shown.header("x-ms-lease-duration")),
        ("leased", "infinite")
    );
    assert!(world.get("/?comp=list", &[]).await.text().contains("<LeaseState>leased</LeaseState>"));
    assert_eq!(
        world.send("writer", "PUT", "/box/other", &[BLOCK_BLOB], "x").await.status,
        201,
        "its blobs are free"
    );
    for (id, code) in [("", "LeaseIdMissing"), (OTHER, "LeaseIdMismatchWithContainerOperation")] {
        let sent =
            world.send("writer", "DELETE", "/box?restype=container", &[("x-ms-lease-id", id)], "").await;
        assert_eq!((sent.status, sent.code()), (412, code));
    }
    let headers =
        [("x-ms-lease-action", "change"), ("x-ms-lease-id", MINE), ("x-ms-proposed-lease-id", OTHER)];
    assert_eq!(lease(&world, target, &headers).await.header("x-ms-lease-id"), OTHER);
    let holder = [("x-ms-lease-id", OTHER)];
    assert_eq!(world.send("writer", "DELETE", "/box?restype=container", &holder, "").await.status, 202);
}
