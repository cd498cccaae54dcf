//! One suite that every engine must pass (`suite/`): on SQLite always, on PostgreSQL where `COUNTERSIGN_TEST_POSTGRES`
//! names a server, as `cargo xtask test` does.
//!
//! Each case is written against the traits and works in a tenant of its own, so that all of them share one
//! database; those of `alone/` have one each.

#![expect(clippy::unwrap_used, reason = "tests may fail loudly")]

mod alone;
mod suite;
mod world;

use world::World;

macro_rules! cases {
    ($($room:ident: $($case:ident),+;)+) => {
        mod sqlite {
            use super::{World, suite};
            $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                suite::$room::$case(&World::sqlite().await).await;
            })+)+
        }

        mod postgres {
            use super::{World, suite};
            $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                match World::postgres().await {
                    Some(world) => suite::$room::$case(&world).await,
                    None => println!("not run: COUNTERSIGN_TEST_POSTGRES names no server"),
                }
            })+)+
        }
    };
}

cases! {
    directory: principals_come_back_and_keys_are_unique, credentials_belong_to_their_client,
        what_changed_is_told_once_with_tombstones, a_removed_principal_takes_its_assignments_along;
    objects: applications_are_found_by_all_their_names, an_application_takes_all_that_acts_for_it_along,
        principals_are_found_by_kind_name_and_handle, memberships_are_told_once_with_tombstones,
        federated_credentials_are_unique_and_few;
    enrolment: join_tokens_are_kept_listed_and_taken_back, c01_of_many_that_use_a_join_token_one_wins,
        a_join_that_fails_spends_no_token, an_offered_key_is_good_beside_the_old_one_until_it_is_used,
        c04_two_that_use_one_key_are_quarantined_until_somebody_looks,
        c04_of_two_first_beats_with_one_number_one_is_believed;
    rules: roles_have_one_name_and_stay_while_assigned, denies_and_locks_go_with_their_scope,
        a_moved_resource_is_found_at_its_new_place_alone,
        a_moved_vault_takes_its_name_and_children_along;
    assignments: the_same_grant_twice_is_one_grant, a_name_is_one_grant_in_the_tenant,
        listing_by_scope_knows_above_and_below, a_list_of_assignments_comes_in_parts_that_make_the_whole,
        one_of_many_equal_grants_wins;
    resources: a_resource_is_found_without_regard_to_case, an_update_must_know_the_generation,
        one_of_many_creators_wins, a_host_name_belongs_to_one_tenant, a_soft_deleted_vault_keeps_its_name,
        a_group_takes_all_below_it_along, machines_are_found_by_their_id, listing_goes_on_after_a_key, tags_are_counted,
        what_an_engine_cannot_take_is_the_callers_to_mend;
    secrets: versions_stay_and_the_newest_is_found, a_deleted_secret_blocks_its_name_until_it_is_purged,
        a_recovered_secret_has_all_its_versions, a_restored_secret_takes_no_name_in_use, what_is_due_is_purged, many_writers_make_many_versions,
        another_value_keeps_what_others_change_meanwhile, another_value_needs_a_secret_and_times_in_order;
    blobs: names_sort_by_their_bytes, conditions_are_kept, one_of_many_creators_of_a_blob_wins,
        what_a_write_replaced_is_given_up, a_container_takes_its_blobs_along,
        describing_leaves_content_and_blocks, notes_leave_the_blob_as_it_is, blocks_are_kept_until_nobody_adds_any,
        a_lease_is_changed_by_one_and_outlives_writes_of_its_holder;
    site: settings_and_keys_are_kept, audit_is_read_newest_first, a_failed_write_leaves_no_audit;
}

/// What was acknowledged is there for the next process.
#[tokio::test]
async fn sqlite_file_survives_its_process() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("site.db");
    let first = World::at(&file).await;
    suite::secrets::set(&first, "kept", "1").await;
    let (tenant, subscription) = (first.tenant, first.subscription);
    drop(first);
    let second = World::reopened(&file, tenant, subscription);
    assert_eq!(suite::secrets::newest(&second, "kept").await.unwrap().sealed, b"1");
}

/// Another file is refused, not overwritten.
#[tokio::test]
async fn something_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("site.db");
    std::fs::write(&file, b"this is a diary, dear reader, and has always been one".repeat(100)).unwrap();
    assert!(matches!(
        cs_store_sql::SqlStore::sqlite(&file),
        Err(cs_store::StoreError::Unavailable { .. } | cs_store::StoreError::Damaged { .. })
    ));
}
