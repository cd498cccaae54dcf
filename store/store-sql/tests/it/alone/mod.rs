//! Cases that need a database to themselves: they close it, break it, count what is in it, or fill many tenants.
//! On PostgreSQL the user of the server must be one who may create databases.

mod assignments;
mod directory;
mod engine;
mod resources;
mod secrets;
mod world;

/// Makes two tests of each function: one for each engine.
macro_rules! on_both_engines {
    ($($room:ident: $($name:ident)+;)+) => {
        mod sqlite {
            $(mod $room {
                use crate::alone::{$room as tests, world::World};
                $(#[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    tests::$name(&mut World::sqlite()).await;
                })+
            })+
        }
        mod postgres {
            $(mod $room {
                use crate::alone::{$room as tests, world::World};
                $(#[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    let Some(mut world) = World::postgres().await else { return };
                    tests::$name(&mut world).await;
                    world.drop_database().await;
                })+
            })+
        }
    };
}

on_both_engines! {
    directory:
        ids_are_taken_once
        d05_a_principal_made_again_inherits_nothing
        ;
    assignments:
        what_is_the_same_or_contradicts_is_refused
        many_writers_of_one_tenant_all_get_through
        ;
    resources:
        d01_one_id_in_any_case
        of_updaters_one_wins
        a_host_name_has_one_owner_in_all_tenants
        filters_are_joined_by_and
        tags_are_counted_and_defined
        a_group_takes_everything_below_and_nothing_beside
        tenants_do_not_see_each_other
        ;
    secrets:
        e03_a_deleted_name_is_taken_until_purged
        updates_change_what_they_name
        listings_hold_newest_versions_without_values
        of_deleters_one_wins
        vaults_and_tenants_do_not_see_each_other
        ;
    engine:
        what_was_acknowledged_is_there_after_opening_again
        sixty_four_writers_at_once
        a_failing_write_among_many_takes_no_other_down
        a_newer_schema_is_refused
        two_replicas_open_at_once
        odd_text_comes_back_as_it_went
        ;
}
