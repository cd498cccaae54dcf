//! Attacks at the door: what is answered, and that nothing reached the server.

use cs_store::AuditOutcome;
use cs_wire_postgres::{ErrorFields, SSL_REQUEST, Version, message, password, query, startup};
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::{
    client::{Client, Knock, plain, rest},
    world::{World, object},
};

async fn refused(world: &World, knock: &Knock<'_>, token: &str) -> ErrorFields {
    let refused = Client::try_log_in(world, knock, token).await.err().expect("a refusal");
    assert!(world.backend.saw_nothing().await);
    refused
}

fn told(fields: &ErrorFields) -> (String, String) {
    (fields.code(), fields.message())
}

#[tokio::test]
async fn g01_bytes_behind_the_request_for_tls_end_the_connection() {
    let world = World::new().await;
    for tail in [&b"x"[..], &startup(Version::V3_0, [(&b"user"[..], &b"a"[..])].into_iter())] {
        let mut stream = plain(&world).await;
        stream.write_all(&[&SSL_REQUEST[..], tail].concat()).await.unwrap();
        assert_eq!(rest(&mut stream).await, b"");
    }
    assert!(world.backend.saw_nothing().await);
}

#[tokio::test]
async fn g02_a_second_start_is_no_password() {
    let world = World::new().await;
    let mut client = Client::knock(&world, &Knock::default()).await;
    client.expect_question().await;
    client.start(&Knock { user: "reports", ..Knock::default() }).await;
    assert_eq!(client.ended_with().await.code(), "08P01");
    assert!(world.backend.saw_nothing().await);
}

#[tokio::test]
async fn g02_a_second_request_for_tls_inside_tls_is_refused() {
    let world = World::new().await;
    let mut client = Client::encrypted(&world, Some("db1")).await;
    client.send(&SSL_REQUEST).await;
    assert_eq!(client.ended_with().await.code(), "08P01");
}

#[tokio::test]
async fn g03_impossible_lengths_are_closed_without_a_word() {
    let world = World::new().await;
    for head in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0; 8],
        &[0, 0, 0, 3, 0],
        &[0x7f; 8],
        &[0xff; 8],
        &[0, 0, 0x27, 0x11, 0, 3, 0, 0],
    ] {
        let mut stream = plain(&world).await;
        stream.write_all(head).await.unwrap();
        assert_eq!(rest(&mut stream).await, b"", "{head:?}");
        let mut client = Client::encrypted(&world, Some("db1")).await;
        client.send(head).await;
        assert_eq!(client.next().await, None, "{head:?}");
    }
    for head in [0, 3, 0x8000_0000, u32::MAX, 0x7fff_ffff] {
        let mut client = Client::knock(&world, &Knock::default()).await;
        client.expect_question().await;
        client.send(&[&b"p"[..], &u32::to_be_bytes(head)].concat()).await;
        assert_eq!(client.ended_with().await.code(), "08P01", "{head}");
    }
    assert!(world.backend.saw_nothing().await);
}

#[tokio::test]
async fn g05_another_principals_role_reads_like_any_wrong_password() {
    let world = World::new().await;
    let as_user = |user: &'static str| Knock { user, ..Knock::default() };
    let text =
        |user: &str| ("28P01".to_owned(), format!("password authentication failed for user \"{user}\""));
    let others = refused(&world, &as_user("reports"), &world.token(1)).await;
    let unknown = refused(&world, &as_user("nobody"), &world.token(1)).await;
    let odd = refused(&world, &as_user("\"; DROP ROLE reports; --"), &world.token(1)).await;
    let forged = refused(&world, &as_user("lab-machine"), &world.token(1).replace(".Z29vZA", ".YmFk")).await;
    let no_token = refused(&world, &as_user("lab-machine"), "swordfish").await;
    let empty = refused(&world, &as_user("lab-machine"), "").await;
    let tenant = json!({"tid": "00000000-0000-0000-0000-000000000009"});
    let foreign = refused(&world, &as_user("lab-machine"), &world.token_with(1, &tenant)).await;
    let elsewhere = Knock { server: Some("db2"), ..Knock::default() };
    let no_server = refused(&world, &elsewhere, &world.token(1)).await;
    assert_eq!(told(&others), text("reports"));
    assert_eq!(told(&unknown), text("nobody"));
    assert_eq!(told(&odd), text("\"; DROP ROLE reports; --"));
    for one in [&forged, &no_token, &empty, &foreign, &no_server] {
        assert_eq!(told(one), text("lab-machine"));
        assert_eq!((one.get(b'D'), one.get(b'H')), (String::new(), String::new()));
    }
    let denied: Vec<_> = world
        .audited()
        .await
        .into_iter()
        .filter(|(o, _)| *o == AuditOutcome::Denied)
        .map(|(_, b)| b)
        .collect();
    assert!(denied.iter().any(|b| b.contains("role reports: the role is another principal's")), "{denied:?}");
}

#[tokio::test]
async fn g05_the_object_id_decides_and_names_are_compared_byte_by_byte() {
    let world = World::new().await;
    for user in ["Lab-machine", "lab-machine ", "lab\u{2010}machine"] {
        let refused = refused(&world, &Knock { user, ..Knock::default() }, &world.token(1)).await;
        assert_eq!(refused.code(), "28P01", "{user}");
    }
    Client::log_in(&world, 1, "lab-machine").await;
    let (name, parameters) = world.backend.login().await;
    assert_eq!(name.as_deref(), Some("lab-machine"));
    assert!(parameters.contains(&("user".into(), "lab-machine".into())));
    let done = world.audited().await;
    assert!(done.iter().any(|(o, because)| *o == AuditOutcome::Done
        && because.contains(&object(1).to_string())
        && because.contains("lab-machine")));
}

#[tokio::test]
async fn g06_expired_and_misdirected_tokens_are_told_what_to_ask_for() {
    let world = World::new().await;
    let old = world.token_with(1, &json!({"exp": 1_000_000_000}));
    let expired = refused(&world, &Knock::default(), &old).await;
    assert_eq!(told(&expired), ("28P01".into(), "access token has expired".into()));
    assert!(expired.get(b'H').contains("fresh token"));
    let arm = world.token_with(1, &json!({"aud": "https://management.azure.com"}));
    let misdirected = refused(&world, &Knock::default(), &arm).await;
    assert_eq!(told(&misdirected), ("28P01".into(), "token audience is wrong".into()));
    assert_eq!(misdirected.get(b'D'), "Got https://management.azure.com");
    assert_eq!(misdirected.get(b'H'), "Request a token for https://ossrdbms-aad.database.windows.net.");
    let own = world.token_with(1, &json!({"aud": "https://ossrdbms-aad.database.s.test/"}));
    assert!(Client::try_log_in(&world, &Knock::default(), &own).await.is_ok());
}

#[tokio::test]
async fn g06_a_token_of_a_disabled_identity_is_refused() {
    let world = World::new().await;
    let token = world.token(1);
    Client::try_log_in(&world, &Knock::default(), &token).await.ok().unwrap();
    world.backend.login().await;
    world.disable(1).await;
    let refused = Client::try_log_in(&world, &Knock::default(), &token).await.err().unwrap();
    assert_eq!(refused.code(), "28P01");
}

#[tokio::test]
async fn g07_long_tokens_are_taken_and_longer_ones_refused() {
    let world = World::new().await;
    let of_length = |n: usize| world.token_with(1, &json!({"groups": "g".repeat(n)}));
    let (long, longer, longest) = (of_length(11_000), of_length(45_000), of_length(48_800));
    assert!(longer.len() > 60_000 && (65_000..=65_536).contains(&longest.len()), "{}", longest.len());
    let mut all = Vec::new();
    for good in [&long, &longer, &longest] {
        all.push(Client::try_log_in(&world, &Knock::default(), good).await.ok().unwrap());
        world.backend.login().await;
    }
    // As long, but not as good.
    let mut forged = longer;
    forged.truncate(forged.len() - 4);
    assert_eq!(Client::try_log_in(&world, &Knock::default(), &forged).await.err().unwrap().code(), "28P01");
    let mut client = Client::knock(&world, &Knock::default()).await;
    client.expect_question().await;
    client.send(&password(&vec![b'a'; 65_537])).await;
    assert_eq!(client.ended_with().await.code(), "08P01");
}

#[tokio::test]
async fn g07_a_nul_in_the_token_or_sasl_instead_of_it_is_no_token() {
    let world = World::new().await;
    let with_tail = [world.token(1).as_bytes(), b"\0tail"].concat();
    let sasl = [&b"SCRAM-SHA-256\0"[..], &20u32.to_be_bytes(), b"n,,n=,r=abcdefghijkl"].concat();
    for body in [password(&with_tail), message(b'p', &sasl)] {
        let mut client = Client::knock(&world, &Knock::default()).await;
        client.expect_question().await;
        client.send(&body).await;
        assert_eq!(client.ended_with().await.code(), "28P01");
    }
    assert!(world.backend.saw_nothing().await);
}

#[tokio::test]
async fn g07_user_names_that_cannot_be_roles_are_refused_before_the_question() {
    let world = World::new().await;
    for (user, code) in
        [("", "28000"), (&*"a".repeat(64), "28000"), ("pg_monitor", "28000"), ("public", "28000")]
    {
        let mut client = Client::knock(&world, &Knock { user, ..Knock::default() }).await;
        assert_eq!(client.ended_with().await.code(), code, "{user}");
    }
    let twice = Knock { more: &[("user", "reports")], ..Knock::default() };
    assert_eq!(Client::knock(&world, &twice).await.ended_with().await.code(), "08P01");
}

#[tokio::test]
async fn g09_what_is_sent_before_the_login_is_done_is_not_passed_on() {
    let world = World::new().await;
    let mut client = Client::knock(&world, &Knock::default()).await;
    client.expect_question().await;
    let parse = message(b'P', b"\0select 1\0\0\0");
    let early = [&password(world.token(1).as_bytes())[..], &parse, &query("drop table x")].concat();
    client.send(&early).await;
    assert_eq!(client.ended_with().await.code(), "08P01");
    // The server may have seen the login; of what was sent early it saw nothing.
    world.backend.login().await;
    assert_eq!(world.backend.next().await, crate::backend::Seen::Ended);

    let mut all = Client::encrypted(&world, Some("db1")).await;
    let start = startup(Version::V3_0, [(&b"user"[..], &b"lab-machine"[..])].into_iter());
    all.send(&[&start[..], &query("drop table x")].concat()).await;
    all.expect_question().await;
    assert_eq!(all.ended_with().await.code(), "08P01");
    assert!(world.backend.saw_nothing().await);
}

#[tokio::test]
async fn replication_is_refused_unless_the_server_allows_it() {
    let world = World::new().await;
    for word in ["database", "true", "1"] {
        let knock = Knock { more: &[("replication", word)], ..Knock::default() };
        assert_eq!(refused(&world, &knock, &world.token(1)).await.code(), "28000", "{word}");
    }
    let records = world.audited().await;
    assert!(
        records
            .iter()
            .filter(|(o, because)| *o == AuditOutcome::Denied && because.contains("replication"))
            .count()
            == 3
            && records.iter().all(|(o, _)| *o != AuditOutcome::Done),
        "{records:?}"
    );
    let no = Knock { more: &[("replication", "off")], ..Knock::default() };
    assert!(Client::try_log_in(&world, &no, &world.token(1)).await.is_ok());
}

#[tokio::test]
async fn guessing_wears_out_patience() {
    let mut plan = crate::world::Plan::default();
    plan.limits.failures_per_minute = 1;
    plan.limits.weary = std::time::Duration::ZERO;
    let world = World::with(plan).await;
    for _ in 0..10 {
        let code = refused(&world, &Knock::default(), "x").await.code();
        assert_eq!(code, "28P01");
    }
    assert_eq!(refused(&world, &Knock::default(), &world.token(1)).await.code(), "53300");
    world.later(61).await;
    assert!(Client::try_log_in(&world, &Knock::default(), &world.token(1)).await.is_ok());
}
