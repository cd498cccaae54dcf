//! Open sessions: bytes pass untouched, each client has a server connection of its own, and trouble behind the gateway
//! is told in PostgreSQL's words.

use cs_audit::AuditOutcome;
use cs_wire_postgres::{Version, message, password};

use crate::{
    backend::Seen,
    client::{Client, Knock},
    world::{Plan, World},
};

#[tokio::test]
async fn bytes_pass_untouched_both_ways() {
    let world = World::new().await;
    let mut client = Client::log_in(&world, 1, "lab-machine").await;
    world.backend.login().await;
    let copied = message(b'd', &(0..=255).cycle().take(300_000).collect::<Vec<u8>>()[..60_000]);
    for _ in 0..20 {
        client.send(&copied).await;
        assert_eq!(world.backend.next().await, Seen::Message(b'd', copied[5..].to_vec()));
    }
    client.ask("much").await;
    world.backend.next().await;
    let mut rows = 0;
    while let (b'D', body) = client.next().await.unwrap() {
        assert_eq!(body.len(), 4096);
        rows += 1;
    }
    assert_eq!(rows, 1024);
}

#[tokio::test]
async fn a_server_on_a_socket_needs_no_certificate() {
    let world = World::with(Plan { socket: true, ..Plan::default() }).await;
    let mut client = Client::log_in(&world, 2, "reports").await;
    let (name, parameters) = world.backend.login().await;
    assert_eq!(name, None);
    assert!(parameters.contains(&("user".into(), "reports".into())));
    client.ask("select 1").await;
    client.until_ready().await.unwrap();
}

#[tokio::test]
async fn g12_a_server_that_dies_ends_its_own_session_and_no_other() {
    let world = World::new().await;
    let mut one = Client::log_in(&world, 1, "lab-machine").await;
    let mut other = Client::log_in(&world, 2, "reports").await;
    one.ask("die").await;
    while one.more().await {}
    // A message cut short, and nothing glued to it.
    assert_eq!(one.unread().len(), 1000);
    other.ask("select 1").await;
    assert_eq!(other.until_ready().await.unwrap(), b"CZ");
}

#[tokio::test]
async fn g13_no_server_connection_serves_two_sessions() {
    let world = World::new().await;
    for n in [1, 1, 2] {
        let user = if n == 1 { "lab-machine" } else { "reports" };
        let client = Client::log_in(&world, n, user).await;
        assert_eq!(world.backend.login().await.0.as_deref(), Some(user));
        drop(client);
        assert_eq!(world.backend.next().await, Seen::Ended);
    }
}

#[tokio::test]
async fn the_servers_own_errors_pass_and_the_gateways_troubles_do_not_tell_on_it() {
    let world = World::new().await;
    let at = |database: &'static str| Knock { database, ..Knock::default() };
    let missing = Client::try_log_in(&world, &at("missing"), &world.token(1)).await.err().unwrap();
    assert_eq!(
        (missing.code(), missing.message()),
        ("3D000".into(), "database \"missing\" does not exist".into())
    );
    for database in ["refuses", "asks"] {
        let refused = Client::try_log_in(&world, &at(database), &world.token(1)).await.err().unwrap();
        assert_eq!(refused.code(), "08006", "{database}");
        assert!(!refused.message().contains("pg_hba") && !refused.get(b'H').contains("10.0.0.7"));
    }
    let logins: Vec<_> =
        world.audited().await.into_iter().filter(|(_, because)| because.contains("lab-machine")).collect();
    assert!(
        logins.len() == 3 && logins.iter().all(|(outcome, _)| *outcome == AuditOutcome::Failed),
        "{logins:?}"
    );
}

#[tokio::test]
async fn a_login_that_runs_out_of_time_behind_is_on_record() {
    let mut plan = Plan::default();
    plan.limits.opening = std::time::Duration::from_secs(3);
    let world = World::with(plan).await;
    let knock = Knock { database: "hangs", ..Knock::default() };
    let mut client = Client::knock(&world, &knock).await;
    client.expect_question().await;
    client.send(&password(world.token(1).as_bytes())).await;
    assert_eq!(client.next().await, None, "closed");
    let logins = world.audited().await;
    assert!(
        logins.iter().any(|(outcome, why)| *outcome == AuditOutcome::Failed && why.contains("lab-machine")),
        "{logins:?}"
    );
}

#[tokio::test]
async fn a_server_with_anothers_certificate_gets_no_login() {
    let world = World::with(Plan { backend_name: "evil.example", ..Plan::default() }).await;
    let refused = Client::try_log_in(&world, &Knock::default(), &world.token(1)).await.err().unwrap();
    assert_eq!(refused.code(), "08006");
    assert!(world.backend.saw_nothing().await);
}

#[tokio::test]
async fn a_client_that_is_gone_leaves_no_server_connection() {
    let world = World::new().await;
    let client = Client::log_in(&world, 1, "lab-machine").await;
    world.backend.login().await;
    drop(client);
    assert_eq!(world.backend.next().await, Seen::Ended);
}

#[tokio::test]
async fn no_more_sessions_than_allowed() {
    let mut plan = Plan::default();
    plan.limits.sessions = 1;
    let world = World::with(plan).await;
    let _one = Client::log_in(&world, 1, "lab-machine").await;
    let knock = Knock { version: Version::V3_2, ..Knock::default() };
    let refused = Client::try_log_in(&world, &knock, &world.token(1)).await.err().unwrap();
    assert_eq!(refused.code(), "53300");
}
