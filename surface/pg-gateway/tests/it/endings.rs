//! Sessions that are ended from our side, between two messages and in PostgreSQL's words.

use std::time::{Duration, Instant};

use cs_wire_postgres::password;
use serde_json::json;

use crate::{
    backend::Seen,
    client::{Client, Knock},
    world::{Plan, TEAM, World},
};

#[tokio::test]
async fn g10_a_session_ends_within_a_second_of_losing_its_rule() {
    let world = World::new().await;
    let mut one = Client::log_in(&world, 1, "lab-machine").await;
    let mut other = Client::log_in(&world, 2, "reports").await;
    let began = Instant::now();
    world.remove_rule(1).await;
    let last = one.ended_with().await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(last.code(), "57P01");
    assert_eq!(last.get(b'S'), "FATAL");
    other.ask("select 1").await;
    other.until_ready().await.unwrap();
}

#[tokio::test]
async fn g10_a_session_ends_within_a_second_of_its_identitys_end_and_its_work_is_cancelled() {
    let world = World::new().await;
    let mut client = Client::log_in(&world, 1, "lab-machine").await;
    world.backend.login().await;
    client.ask("hang").await;
    world.backend.next().await;
    let began = Instant::now();
    world.disable(1).await;
    assert_eq!(client.ended_with().await.code(), "57P01");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(matches!(world.backend.next().await, Seen::Cancel { .. }));
}

#[tokio::test]
async fn g10_a_rule_that_names_another_role_ends_the_session() {
    let world = World::new().await;
    let mut client = Client::log_in(&world, 1, "lab-machine").await;
    world.remove_rule(1).await;
    world.rule(1, "elsewhere").await;
    assert_eq!(client.ended_with().await.code(), "57P01");
}

#[tokio::test]
async fn g10_the_server_may_let_sessions_outlive_their_rule() {
    let world = World::with(Plan {
        sessions: json!({"endOnRevocation": false, "idleSeconds": 100}),
        ..Plan::default()
    })
    .await;
    let mut client = Client::log_in(&world, 1, "lab-machine").await;
    world.remove_rule(1).await;
    // The watch looks at everything at once: that the idle limit ended it, and not the rule, shows what it let pass.
    world.clock.advance(101);
    assert_eq!(client.ended_with().await.code(), "57P05");
}

#[tokio::test]
async fn g10_members_log_in_as_their_groups_role_until_they_leave_it() {
    let world = World::new().await;
    world.rule(TEAM, "Data Team").await;
    let knock = Knock { user: "Data Team", ..Knock::default() };
    let refused = Client::try_log_in(&world, &knock, &world.token(1)).await.err().unwrap();
    assert_eq!(refused.code(), "28P01");
    world.join(1).await;
    let mut member = Client::log_in(&world, 1, "Data Team").await;
    assert_eq!(world.backend.login().await.0.as_deref(), Some("Data Team"));
    let began = Instant::now();
    world.leave(1).await;
    assert_eq!(member.ended_with().await.code(), "57P01");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn g12_the_last_word_comes_between_two_messages() {
    let world = World::new().await;
    let mut client = Client::log_in(&world, 1, "lab-machine").await;
    world.backend.login().await;
    client.ask("half").await;
    while client.unread().len() < 1000 {
        assert!(client.more().await);
    }
    world.remove_rule(1).await;
    // The message under way does not come to its end: then there is no last word, and nothing false either.
    while client.more().await {}
    assert_eq!(client.unread().len(), 1000);
}

#[tokio::test]
async fn an_idle_session_ends_with_its_token_where_the_server_says_so() {
    let world = World::with(Plan { sessions: json!({"endAtTokenExpiry": true}), ..Plan::default() }).await;
    let mut idle = Client::log_in(&world, 1, "lab-machine").await;
    let mut busy = Client::log_in(&world, 1, "lab-machine").await;
    busy.ask("begin").await;
    busy.until_ready().await.unwrap();
    world.clock.advance(3601);
    assert_eq!(idle.ended_with().await.code(), "57P01");
    // A transaction may finish.
    busy.ask("commit").await;
    busy.until_ready().await.unwrap();
    assert_eq!(busy.ended_with().await.code(), "57P01");
}

#[tokio::test]
async fn azures_way_is_the_default_and_a_session_outlives_its_token() {
    let world = World::with(Plan { sessions: json!({"idleSeconds": 100}), ..Plan::default() }).await;
    let mut client = Client::log_in(&world, 1, "lab-machine").await;
    world.clock.advance(3601);
    // The watch looks at both at once: that the idle limit ended it, and not the token, shows what it let pass.
    assert_eq!(client.ended_with().await.code(), "57P05");
}

#[tokio::test]
async fn stopping_ends_idle_sessions_at_once_and_lets_transactions_finish() {
    let world = World::new().await;
    let mut idle = Client::log_in(&world, 1, "lab-machine").await;
    let mut busy = Client::log_in(&world, 2, "reports").await;
    busy.ask("begin").await;
    busy.until_ready().await.unwrap();
    world.shutdown.begin();
    let last = idle.ended_with().await;
    assert_eq!(
        (last.code(), last.message()),
        ("57P01".into(), "terminating connection due to administrator command".into())
    );
    busy.ask("commit").await;
    busy.until_ready().await.unwrap();
    assert_eq!(busy.ended_with().await.code(), "57P01");
    assert!(world.shutdown.drained(Duration::from_secs(10)).await);
}

#[tokio::test]
async fn whoever_comes_while_the_gateway_stops_is_told_to_come_again() {
    let world = World::new().await;
    let mut busy = Client::log_in(&world, 2, "reports").await;
    busy.ask("begin").await;
    busy.until_ready().await.unwrap();
    let mut late = Client::knock(&world, &Knock::default()).await;
    late.expect_question().await;
    let mut idle = Client::log_in(&world, 1, "lab-machine").await;
    world.shutdown.begin();
    // Told to go, so the gateway has begun to stop.
    idle.ended_with().await;
    late.send(&password(world.token(1).as_bytes())).await;
    let last = late.ended_with().await;
    assert_eq!(
        (last.code(), last.message()),
        ("57P03".into(), "the database system is shutting down".into())
    );
}

#[tokio::test]
async fn stopping_does_not_wait_for_ever() {
    let mut plan = Plan::default();
    plan.limits.drain = Duration::from_millis(50);
    let world = World::with(plan).await;
    let mut stuck = Client::log_in(&world, 1, "lab-machine").await;
    stuck.ask("begin").await;
    stuck.until_ready().await.unwrap();
    world.shutdown.begin();
    assert_eq!(stuck.ended_with().await.code(), "57P01");
    assert!(world.shutdown.drained(Duration::from_secs(10)).await);
}
