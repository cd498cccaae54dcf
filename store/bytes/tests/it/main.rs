//! One suite that every store of bytes must pass: on local files always, on S3 where `COUNTERSIGN_TEST_S3` names an
//! endpoint (and `COUNTERSIGN_TEST_S3_BUCKET` a bucket of it), as `cargo xtask test` does.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that cannot go on fails"
)]

mod local;
mod suite;

use cs_bytes::{LocalBytes, S3Bytes};
use cs_time::Chance;

macro_rules! cases {
    ($($case:ident),+ $(,)?) => {
        mod on_files {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let folder = tempfile::tempdir().unwrap();
                crate::suite::$case(&crate::LocalBytes::open(folder.path()).unwrap()).await;
            })+
        }

        mod on_s3 {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                match crate::bucket().await {
                    Some(bucket) => crate::suite::$case(&bucket).await,
                    None => println!("skipped: COUNTERSIGN_TEST_S3 names no endpoint"),
                }
            })+
        }
    };
}

cases! {
    what_is_written_comes_back,
    any_range_comes_back,
    what_is_dropped_was_never_there,
    what_is_not_there_is_missing,
    a_listing_goes_on_behind_a_key,
}

/// A prefix of its own in the test's bucket.
async fn bucket() -> Option<S3Bytes> {
    let endpoint = std::env::var("COUNTERSIGN_TEST_S3").ok()?;
    let bucket =
        std::env::var("COUNTERSIGN_TEST_S3_BUCKET").unwrap_or_else(|_| "countersign-test".to_owned());
    let url = format!("s3://{bucket}/{}", cs_time::MachineChance.uuid());
    Some(S3Bytes::open_at(&endpoint, &url).await.unwrap())
}
