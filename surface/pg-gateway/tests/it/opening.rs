//! How a connection may begin.

use std::net::SocketAddr;

use bytes::Bytes;
use cs_wire_postgres::{
    CancelKey, ErrorFields, GSS_REQUEST, SSL_REQUEST, Version, cancel_request, password, startup,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    backend::{KEY, Seen},
    client::{Client, Knock, at, encrypt, plain, rest},
    world::{Plan, World},
};

fn fields(bytes: &[u8]) -> ErrorFields {
    assert_eq!(bytes[0], b'E', "{bytes:?}");
    ErrorFields::of(Bytes::copy_from_slice(&bytes[5..]))
}

#[tokio::test]
async fn a_start_in_the_clear_is_refused_and_never_asked_for_a_password() {
    let world = World::new().await;
    let mut stream = plain(&world).await;
    let packet = startup(Version::V3_0, [(&b"user"[..], &b"lab-machine"[..])].into_iter());
    stream.write_all(&packet).await.unwrap();
    let answer = rest(&mut stream).await;
    assert_eq!(
        (fields(&answer).code(), fields(&answer).message()),
        ("28000".into(), "connection requires TLS".into())
    );
    assert!(world.backend.saw_nothing().await);
}

#[tokio::test]
async fn protocol_2_and_unknown_majors_are_told_what_is_served() {
    let world = World::new().await;
    for version in [Version { major: 2, minor: 0 }, Version { major: 4, minor: 7 }] {
        let mut stream = plain(&world).await;
        stream.write_all(&startup(version, std::iter::empty())).await.unwrap();
        let answer = rest(&mut stream).await;
        assert_eq!(fields(&answer).code(), "0A000");
        let told = format!("unsupported frontend protocol {version}: server supports 3.0 to 3.2");
        assert_eq!(fields(&answer).message(), told);
    }
}

#[tokio::test]
async fn gss_is_declined_once_and_tls_may_follow() {
    let world = World::new().await;
    let mut stream = plain(&world).await;
    let mut byte = [0];
    stream.write_all(&GSS_REQUEST).await.unwrap();
    stream.read_exact(&mut byte).await.unwrap();
    assert_eq!(&byte, b"N");
    stream.write_all(&SSL_REQUEST).await.unwrap();
    stream.read_exact(&mut byte).await.unwrap();
    assert_eq!(&byte, b"S");
    let mut client = Client::over(encrypt(&world, stream, Some("db1"), &[]).await.unwrap());
    client.start(&Knock::default()).await;
    client.expect_question().await;

    let mut twice = plain(&world).await;
    twice.write_all(&GSS_REQUEST).await.unwrap();
    twice.read_exact(&mut byte).await.unwrap();
    twice.write_all(&GSS_REQUEST).await.unwrap();
    assert_eq!(fields(&rest(&mut twice).await).code(), "08P01");
}

#[tokio::test]
async fn tls_may_come_first_if_it_names_the_protocol() {
    let world = World::new().await;
    let direct = plain(&world).await;
    let tls = encrypt(&world, direct, Some("db1"), &[b"postgresql"]).await.unwrap();
    assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"postgresql"[..]));
    let mut client = Client::over(tls);
    client.start(&Knock::default()).await;
    client.expect_question().await;
    client.send(&password(world.token(1).as_bytes())).await;
    client.until_ready().await.unwrap();

    for alpn in [&[][..], &[&b"http/1.1"[..]][..]] {
        let direct = plain(&world).await;
        let refused = encrypt(&world, direct, Some("db1"), alpn).await.unwrap_err();
        assert!(refused.to_string().contains("NoApplicationProtocol"), "{refused}");
    }
    // After SSLRequest the name may be missing (older clients), but not be another's.
    let mut stream = plain(&world).await;
    stream.write_all(&SSL_REQUEST).await.unwrap();
    stream.read_exact(&mut [0]).await.unwrap();
    assert!(encrypt(&world, stream, Some("db1"), &[b"h2"]).await.is_err());
}

#[tokio::test]
async fn newer_minors_and_unknown_options_are_negotiated() {
    let world = World::new().await;
    let knock = Knock {
        version: Version { major: 3, minor: 9999 },
        more: &[("_pq_.x", "1"), ("application_name", "t")],
        ..Knock::default()
    };
    let mut client = Client::knock(&world, &knock).await;
    let (kind, body) = client.next().await.unwrap();
    assert_eq!((kind, &body[..]), (b'v', &b"\0\x03\0\x02\0\0\0\x01_pq_.x\0"[..]));
    client.expect_question().await;
    client.send(&password(world.token(1).as_bytes())).await;
    client.until_ready().await.unwrap();
    assert_eq!(client.key.unwrap().key.0.len(), 32);
    let (_, parameters) = world.backend.login().await;
    let own = |n: &str, v: &str| (n.to_owned(), v.to_owned());
    assert_eq!(
        parameters,
        [own("user", "lab-machine"), own("database", "lab"), own("application_name", "t")]
    );
}

#[tokio::test]
async fn a_3_0_client_gets_a_key_of_four_bytes_and_no_negotiation() {
    let world = World::new().await;
    let client = Client::log_in(&world, 1, "lab-machine").await;
    let key = client.key.unwrap();
    assert_eq!(key.key.0.len(), 4);
    // Ours, not the server's.
    assert!(key.pid > 0 && key.key.0 != KEY);
}

#[tokio::test]
async fn the_only_server_answers_without_a_name() {
    let world = World::new().await;
    let knock = Knock { server: None, database: "", ..Knock::default() };
    Client::try_log_in(&world, &knock, &world.token(1)).await.ok().unwrap();
    let (name, parameters) = world.backend.login().await;
    assert_eq!(name.as_deref(), Some("lab-machine"));
    // The database is the role's name where none is given.
    assert!(parameters.contains(&("database".into(), "lab-machine".into())));
}

#[tokio::test]
async fn cancel_requests_find_their_session_in_the_clear_and_in_tls() {
    let world = World::new().await;
    for (version, in_tls) in [(Version::V3_0, false), (Version::V3_2, false), (Version::V3_2, true)] {
        let knock = Knock { version, ..Knock::default() };
        let mut client = Client::try_log_in(&world, &knock, &world.token(1)).await.ok().unwrap();
        world.backend.login().await;
        client.ask("hang").await;
        assert!(matches!(world.backend.next().await, Seen::Message(b'Q', _)));
        let key = client.key.clone().unwrap();
        let wrong = CancelKey(vec![0; key.key.0.len()].into());
        let short = CancelKey(key.key.0.slice(..key.key.0.len().min(4)));
        for (pid, guess) in [(key.pid, &wrong), (key.pid ^ 1, &key.key)] {
            cancel(&world, pid, guess, in_tls).await;
        }
        if version == Version::V3_2 {
            cancel(&world, key.pid, &short, in_tls).await;
        }
        assert!(world.backend.saw_nothing().await);
        cancel(&world, key.pid, &key.key, in_tls).await;
        let Seen::Cancel { key, .. } = world.backend.next().await else { panic!("no cancel") };
        assert_eq!(key, KEY);
        world.backend.go();
        client.until_ready().await.unwrap();
        drop(client);
        assert_eq!(world.backend.next().await, Seen::Ended);
    }
}

#[tokio::test]
async fn cancel_requests_are_understood_by_every_gateway() {
    let world = World::new().await;
    for (version, in_tls) in [(Version::V3_0, false), (Version::V3_2, false), (Version::V3_0, true)] {
        let knock = Knock { version, ..Knock::default() };
        let mut client = Client::try_log_in(&world, &knock, &world.token(1)).await.ok().unwrap();
        world.backend.login().await;
        client.ask("hang").await;
        assert!(matches!(world.backend.next().await, Seen::Message(b'Q', _)));
        let key = client.key.clone().unwrap();
        let mut wrong = key.key.0.to_vec();
        wrong[0] ^= 1;
        cancel_at(&world, world.second_door, key.pid ^ 2, &CancelKey(wrong.into()), in_tls).await;
        cancel_at(&world, world.second_door, key.pid, &key.key, in_tls).await;
        let Seen::Cancel { key, .. } = world.backend.next().await else { panic!("no cancel") };
        assert_eq!(key, KEY);
        world.backend.go();
        client.until_ready().await.unwrap();
        drop(client);
        assert_eq!(world.backend.next().await, Seen::Ended);
    }
}

/// Sends one and waits until it is closed without an answer.
async fn cancel(world: &World, pid: i32, key: &CancelKey, in_tls: bool) {
    cancel_at(world, world.door, pid, key, in_tls).await;
}

async fn cancel_at(world: &World, door: SocketAddr, pid: i32, key: &CancelKey, in_tls: bool) {
    let packet = cancel_request(pid, key);
    if in_tls {
        let mut client = Client::encrypted_at(world, door, Some("db1")).await;
        client.send(&packet).await;
        client.expect_goodbye().await;
    } else {
        let mut stream = at(door).await;
        stream.write_all(&packet).await.unwrap();
        assert_eq!(rest(&mut stream).await, b"");
    }
}

#[tokio::test]
async fn whoever_says_nothing_is_let_go() {
    let mut plan = Plan::default();
    plan.limits.opening = std::time::Duration::from_millis(100);
    let world = World::with(plan).await;
    assert_eq!(rest(&mut plain(&world).await).await, b"");
    let mut client = Client::knock(&world, &Knock::default()).await;
    client.expect_question().await;
    assert_eq!(client.next().await, None);
}

#[tokio::test]
async fn one_address_takes_only_so_many_unproven_places() {
    let mut plan = Plan::default();
    plan.limits.unproven_per_address = 2;
    let world = World::with(plan).await;
    // Through their question, so that their places are taken for certain.
    let mut first = Client::knock(&world, &Knock::default()).await;
    first.expect_question().await;
    let mut second = Client::knock(&world, &Knock::default()).await;
    second.expect_question().await;
    assert_eq!(rest(&mut plain(&world).await).await, b"");
    // Whoever is in counts no longer.
    first.send(&password(world.token(1).as_bytes())).await;
    first.until_ready().await.unwrap();
    Client::knock(&world, &Knock::default()).await.expect_question().await;
}
