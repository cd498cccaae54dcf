//! attacks.md, Metadata & HIMDS.

use std::sync::atomic::Ordering;

use cs_broker::IssueError;
use cs_metadata::{
    ProxyHeaders,
    Service::{Himds, Imds},
};
use cs_serve::empty;
use serde_json::Value;

use crate::world::{TOKEN, World, user_assigned};

const M: (&str, &str) = ("Metadata", "true");

#[tokio::test]
async fn a01_no_metadata_header_no_file() {
    let world = World::new();
    let reply = world.send(Himds, "GET", TOKEN, &[]).await;
    assert_eq!(reply.status, 400);
    assert_eq!(
        reply.text,
        r#"{"error":"invalid_request","error_description":"Required metadata header not specified"}"#
    );
    assert_eq!(world.files(), 0);
}

#[tokio::test]
async fn a02_true_in_any_case_and_nothing_else() {
    let world = World::new();
    for value in ["True", "TRUE", "true"] {
        assert_eq!(world.send(Himds, "GET", TOKEN, &[("Metadata", value)]).await.status, 401, "{value}");
    }
    for value in ["false", "1", "", "truee", "yes"] {
        assert_eq!(world.send(Himds, "GET", TOKEN, &[("Metadata", value)]).await.status, 400, "{value}");
    }
}

#[tokio::test]
async fn a03_forwarded_requests_are_refused() {
    let world = World::new();
    for value in ["", "10.0.0.1"] {
        assert_eq!(world.send(Himds, "GET", TOKEN, &[M, ("x-forwarded-for", value)]).await.status, 403);
        assert_eq!(world.send(Imds, "GET", TOKEN, &[M, ("X-Forwarded-For", value)]).await.status, 400);
    }
    assert_eq!(
        world
            .send(Himds, "GET", TOKEN, &[M, ("X-Forwarded-For", "a"), ("X-Forwarded-For", "b")])
            .await
            .status,
        403
    );
    assert_eq!(world.files(), 0);
}

#[tokio::test]
async fn a04_traces_of_proxies_are_refused() {
    let world = World::new();
    for name in ["Forwarded", "Via", "X-Real-IP"] {
        assert_eq!(world.send(Himds, "GET", TOKEN, &[M, (name, "x")]).await.status, 403, "{name}");
    }
    assert_eq!(std::fs::read_dir(world.dir.path()).unwrap().count(), 0, "no challenge was made");
}

#[tokio::test]
async fn a04_the_switch_lets_traces_of_proxies_in_and_nothing_else() {
    let world = World::with(ProxyHeaders::Accepted);
    for name in ["Forwarded", "Via", "X-Real-IP"] {
        assert_eq!(world.send(Himds, "GET", TOKEN, &[M, (name, "x")]).await.status, 401, "{name}");
    }
    for name in ["X-Forwarded-For", "Origin", "Sec-Fetch-Site"] {
        assert_eq!(world.send(Himds, "GET", TOKEN, &[M, (name, "x")]).await.status, 403, "{name}");
    }
}

#[tokio::test]
async fn a05_dns_rebinding_host_is_refused() {
    let world = World::new();
    for host in [
        "attacker.example",
        "attacker.example:40342",
        "localhost.attacker.example",
        "127.0.0.1.attacker.example",
        "0.0.0.0",
    ] {
        for service in [Himds, Imds] {
            assert_eq!(world.send(service, "GET", TOKEN, &[M, ("Host", host)]).await.status, 403, "{host}");
        }
    }
    for host in ["localhost", "127.0.0.1:40342", "[::1]:40342", "[::1]", "169.254.169.254", "LOCALHOST:40342"]
    {
        assert_eq!(world.send(Himds, "GET", TOKEN, &[M, ("Host", host)]).await.status, 401, "{host}");
    }
}

/// Every HTTP/1.1 request names a host (RFC 9112, 3.2), and one that names two names none of ours.
#[tokio::test]
async fn a05_a_request_without_a_host_is_refused() {
    let world = World::new();
    let ask = async |service, version, hosts: &[&str]| {
        let mut request = http::Request::get(TOKEN).version(version).header("Metadata", "true");
        for host in hosts {
            request = request.header("Host", *host);
        }
        World::ask(&world.parts.router(service), request.body(empty()).unwrap()).await.status
    };
    for (service, good) in [(Himds, 401), (Imds, 200)] {
        assert_eq!(ask(service, http::Version::HTTP_11, &[]).await, 400);
        assert_eq!(ask(service, http::Version::HTTP_10, &[]).await, good);
        for hosts in [&[""][..], &["localhost", "localhost"], &["localhost", "attacker.example"]] {
            assert_eq!(ask(service, http::Version::HTTP_11, hosts).await, 403, "{hosts:?}");
        }
    }
}

#[tokio::test]
async fn a06_pages_in_browsers_are_refused() {
    let world = World::new();
    for name in ["Origin", "Sec-Fetch-Site", "Sec-Fetch-Dest"] {
        for service in [Himds, Imds] {
            assert_eq!(world.send(service, "GET", TOKEN, &[M, (name, "x")]).await.status, 403, "{name}");
        }
    }
    let options = world.send(Himds, "OPTIONS", TOKEN, &[("Origin", "https://evil.example")]).await;
    assert_eq!(options.status, 405);
    assert!(!options.headers.keys().any(|k| k.as_str().starts_with("access-control")));
}

/// All that Node 20 adds by itself.
#[tokio::test]
async fn nodes_own_fetch_is_no_browser() {
    let world = World::new();
    let sent = [
        M,
        ("Accept", "*/*"),
        ("Accept-Language", "*"),
        ("Sec-Fetch-Mode", "cors"),
        ("User-Agent", "node"),
        ("Accept-Encoding", "gzip, deflate"),
    ];
    assert_eq!(world.send(Himds, "GET", TOKEN, &sent).await.status, 401, "the challenge");
    assert_eq!(world.send(Imds, "GET", TOKEN, &sent).await.status, 200);
}

#[tokio::test]
async fn a07_other_methods_are_not_allowed() {
    let world = World::new();
    for method in ["POST", "PUT", "HEAD", "DELETE", "PATCH"] {
        let reply = world.send(Himds, method, TOKEN, &[M]).await;
        assert_eq!((reply.status, reply.headers["allow"].to_str().unwrap()), (405, "GET"), "{method}");
    }
}

#[tokio::test]
async fn a08_doubled_parameters_are_refused() {
    let world = World::new();
    for service in [Himds, Imds] {
        for more in ["&resource=https://other", "&RESOURCE=x", "&api%2Dversion=2019-11-01"] {
            assert_eq!(world.get(service, &format!("{TOKEN}{more}")).await.status, 400, "{more}");
        }
    }
    assert_eq!(world.files(), 0);
}

#[tokio::test]
async fn a09_two_selectors_are_refused() {
    let world = World::new();
    for service in [Himds, Imds] {
        for two in ["client_id=a&object_id=b", "client_id=a&clientid=b", "msi_res_id=a&mi_res_id=b"] {
            let reply = world.get(service, &format!("{TOKEN}&{two}")).await;
            assert_eq!(
                (reply.status, reply.json()["error"].as_str()),
                (400, Some("invalid_request")),
                "{two}"
            );
        }
    }
}

#[tokio::test]
async fn a11_an_unknown_identity_never_gets_the_systems_token() {
    let world = World::new();
    let target = format!("{TOKEN}&client_id=99999999-9999-9999-9999-999999999999");
    let himds = world.token(&target).await;
    assert_eq!((himds.status, himds.json()["error"].as_str()), (404, Some("identity_not_found")));
    let imds = world.get(Imds, &target).await;
    assert_eq!((imds.status, imds.json()["error_description"].as_str()), (400, Some("Identity not found")));
}

#[tokio::test]
async fn a12_a_user_assigned_token_echoes_its_selector() {
    let world = World::new();
    let u = user_assigned();
    for (selector, member, value) in [
        (format!("client_id={}", u.client), "client_id", u.client.to_string()),
        (format!("client_id={}", u.client.to_string().to_uppercase()), "client_id", u.client.to_string()),
        (format!("object_id={}", u.object), "object_id", u.object.to_string()),
        (format!("msi_res_id={}", u.resource), "msi_res_id", u.resource.clone()),
        (format!("mi_res_id={}", u.resource), "msi_res_id", u.resource.clone()),
        (format!("msi_res_id={}", u.resource.to_lowercase()), "msi_res_id", u.resource.to_lowercase()),
    ] {
        let target = format!("{TOKEN}&{selector}");
        for reply in [world.token(&target).await, world.get(Imds, &target).await] {
            let said = reply.json();
            assert_eq!((reply.status, &said[member]), (200, &Value::from(value.as_str())), "{selector}");
            assert_eq!(said["client_id"], u.client.to_string(), "whose token it is");
            let token = said["access_token"].as_str().unwrap();
            assert!(token.starts_with(&format!("token of {}", u.client)), "{token}");
        }
    }
}

#[tokio::test]
async fn a13_an_answer_counts_once_and_a_wrong_one_makes_no_challenge() {
    let world = World::new();
    let first = world.get(Himds, TOKEN).await;
    let basic = format!("Basic {}", std::fs::read_to_string(first.challenge()).unwrap());
    let headers = [M, ("Authorization", basic.as_str())];
    let answered = || world.send(Himds, "GET", TOKEN, &headers);
    assert_eq!(answered().await.status, 200);
    let again = answered().await;
    assert_eq!((again.status, again.json()["error"].as_str()), (403, Some("forbidden")));
    assert!(!again.headers.contains_key("www-authenticate"));
    assert_eq!(world.files(), 0);
}

#[tokio::test]
async fn a13_a_failure_of_ours_spends_no_answer_and_a_refusal_does() {
    let world = World::new();
    let basic = world.basic(TOKEN).await;
    let headers = [M, ("Authorization", basic.as_str())];
    let answered = || world.send(Himds, "GET", TOKEN, &headers);
    world.issuer.fail(Some(IssueError::Unreachable("down".into())));
    for _ in 0..3 {
        assert_eq!(answered().await.status, 503);
        world.clock.advance(3);
    }
    assert_eq!(world.files(), 1, "clients repeat the second step");
    world.issuer.fail(None);
    assert_eq!(answered().await.status, 200);
    assert_eq!((answered().await.status, world.files()), (403, 0));
    let basic = world.basic(TOKEN).await;
    let headers = [M, ("Authorization", basic.as_str())];
    let refused = format!("{TOKEN}/other");
    world.issuer.fail(Some(IssueError::Refused { code: "500011".into(), text: "AADSTS500011: no".into() }));
    assert_eq!(world.send(Himds, "GET", &refused, &headers).await.status, 400);
    assert_eq!(world.send(Himds, "GET", &refused, &headers).await.status, 403);
}

#[tokio::test]
async fn a13_of_two_racing_answers_one_wins() {
    let world = World::new();
    let basic = world.basic(TOKEN).await;
    let headers = [M, ("Authorization", basic.as_str())];
    let answered = || world.send(Himds, "GET", TOKEN, &headers);
    world.issuer.hold();
    let both = async {
        let (one, other) = tokio::join!(answered(), answered());
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        statuses
    };
    let release = async {
        while world.issuer.asked.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        world.issuer.release();
    };
    let (statuses, ()) = tokio::join!(both, release);
    assert_eq!(statuses, [200, 403]);
}

#[tokio::test]
async fn a13_a_caller_that_goes_away_spends_nothing() {
    let world = World::new();
    let basic = world.basic(TOKEN).await;
    let headers = [M, ("Authorization", basic.as_str())];
    world.issuer.hold();
    {
        let mut first = std::pin::pin!(world.send(Himds, "GET", TOKEN, &headers));
        assert!(futures_now(first.as_mut()).await.is_none(), "the site is asked");
    }
    world.issuer.release();
    assert_eq!(world.send(Himds, "GET", TOKEN, &headers).await.status, 200);
}

/// The future's value if it has one without waiting.
async fn futures_now<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match future.as_mut().poll(context) {
            std::task::Poll::Ready(value) => Some(value),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test]
async fn a15_an_answer_after_its_time_is_refused() {
    let world = World::new();
    let first = world.get(Himds, TOKEN).await;
    let basic = format!("Basic {}", std::fs::read_to_string(first.challenge()).unwrap());
    world.clock.advance(61);
    assert_eq!(world.send(Himds, "GET", TOKEN, &[M, ("Authorization", &basic)]).await.status, 403);
    world.desk.sweep();
    assert_eq!(world.files(), 0);
}

#[tokio::test]
async fn a16_a_flood_of_challenges_is_told_to_wait() {
    let world = World::new();
    let mut statuses = std::collections::BTreeMap::<u16, usize>::new();
    for _ in 0..10_000 {
        let reply = world.get(Himds, TOKEN).await;
        *statuses.entry(reply.status).or_default() += 1;
        if reply.status == 429 {
            assert_eq!(reply.headers["retry-after"], "1");
            assert_eq!(reply.json()["error"], "too_many_requests");
        }
    }
    assert_eq!((statuses[&401], statuses.len(), world.files()), (768, 2, 768));
    world.clock.advance(1);
    assert_eq!(world.token(TOKEN).await.status, 200, "whoever waits as told is served");
}

#[tokio::test]
async fn a17_wrong_secrets_are_refused() {
    let world = World::new();
    let first = world.get(Himds, TOKEN).await;
    let key = std::fs::read_to_string(first.challenge()).unwrap();
    let wrong: String = key.chars().rev().collect();
    let basic = format!("Basic {wrong}");
    assert_eq!(world.send(Himds, "GET", TOKEN, &[M, ("Authorization", &basic)]).await.status, 403);
    let right = format!("Basic {key}");
    assert_eq!(
        world.send(Himds, "GET", TOKEN, &[M, ("Authorization", &right)]).await.status,
        200,
        "a wrong try spends none"
    );
}

#[tokio::test]
async fn a18_variants_of_the_answer_are_refused() {
    let world = World::new();
    let first = world.get(Himds, TOKEN).await;
    let key = std::fs::read_to_string(first.challenge()).unwrap();
    for variant in [
        format!("Basic  {key}"),
        format!("basic {key}"),
        format!("Basic {key} "),
        format!("Basic {key}="),
        format!("Bearer {key}"),
        key.clone(),
        "Basic".into(),
    ] {
        // A trailing blank is taken off by the header's own grammar on the wire; here it arrives as it is.
        assert_eq!(
            world.send(Himds, "GET", TOKEN, &[M, ("Authorization", &variant)]).await.status,
            403,
            "{variant}"
        );
    }
    let both = [M, ("Authorization", "Basic a"), ("Authorization", "Basic b")];
    assert_eq!(world.send(Himds, "GET", TOKEN, &both).await.status, 403);
}

#[tokio::test]
async fn a22_the_file_is_whole_when_the_header_names_it() {
    let world = World::new();
    for _ in 0..50 {
        let path = world.get(Himds, TOKEN).await.challenge();
        assert_eq!(std::fs::read_to_string(&path).unwrap().len(), 43);
        assert!(path.ends_with(".key") && !path.contains(['=', ' ', '"']));
    }
}

#[tokio::test]
async fn a23_no_file_no_challenge_but_a_clear_error() {
    let world = World::new();
    std::fs::remove_dir(world.dir.path()).unwrap();
    std::fs::write(world.dir.path(), "in the way").unwrap();
    let reply = world.get(Himds, TOKEN).await;
    assert_eq!((reply.status, reply.json()["error"].as_str()), (500, Some("server_error")));
    assert!(!reply.headers.contains_key("www-authenticate"));
    std::fs::remove_file(world.dir.path()).unwrap();
    assert_eq!(world.token(TOKEN).await.status, 200, "mended by itself");
}

/// A container on the host's network whose file system lacks the directory: it is challenged, cannot read the file,
/// and whatever it answers instead earns no token and no further file, but the reason.
#[tokio::test]
async fn a25_a_container_without_the_directory_gets_a_reason_and_no_token() {
    let world = World::new();
    let first = world.get(Himds, TOKEN).await;
    assert_eq!(first.status, 401);
    assert!(first.json().get("access_token").is_none());
    for answer in ["Basic ", "Basic", "", &format!("Basic {}", first.challenge()), "Basic null"] {
        let reply = world.send(Himds, "GET", TOKEN, &[M, ("Authorization", answer)]).await;
        assert_eq!((reply.status, reply.json()["error"].as_str()), (403, Some("forbidden")), "{answer}");
        assert!(!reply.headers.contains_key("www-authenticate"), "the loop ends here");
        let said = reply.json()["error_description"].as_str().unwrap().to_owned();
        assert!(said.contains("a container needs its directory mounted"), "{said}");
    }
    assert_eq!((world.files(), world.issuer.asked.load(Ordering::SeqCst)), (1, 0));
}

#[tokio::test]
async fn a28_odd_resources_are_refused() {
    let world = World::new();
    let long = "x".repeat(600);
    for resource in ["", "a%0D%0Ab", "a%00b", "%E2%80%A4azure.net", "a%20b", "%zz", long.as_str()] {
        let target = format!("/metadata/identity/oauth2/token?api-version=2019-11-01&resource={resource}");
        for service in [Himds, Imds] {
            assert_eq!(world.get(service, &target).await.status, 400, "{resource}");
        }
    }
    assert_eq!(world.files(), 0);
}

#[tokio::test]
async fn a29_path_tricks_are_not_found() {
    let world = World::new();
    for path in [
        "//metadata/instance",
        "/metadata//instance",
        "/%6detadata/instance",
        "/metadata/%2e%2e/metadata/instance",
        "/metadata/instance;x",
        "/metadata/./instance",
        "/Metadata/instance",
    ] {
        let target = format!("{path}?api-version=2020-06-01");
        assert_eq!(world.get(Himds, &target).await.status, 404, "{path}");
    }
    assert_eq!(world.get(Himds, "/metadata/instance/../instance?api-version=2020-06-01").await.status, 404);
}

#[test]
fn h10_every_door_says_what_it_needs() {
    use cs_serve::Needs;
    for door in cs_metadata::himds_doors().iter().chain(cs_metadata::imds_doors()) {
        assert!(matches!(door.needs, Needs::MetadataHeader | Needs::Credentials), "{}", door.path);
    }
}

#[tokio::test]
async fn the_id_of_a_programs_request_goes_on_to_the_site() {
    let world = World::new();
    let sent = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    world.send(Imds, "GET", TOKEN, &[M, sent]).await;
    let passed = world.issuer.correlation.lock().unwrap().unwrap();
    assert_eq!(passed.to_string(), "0af76519-16cd-43dd-8448-eb211c80319c");
    let other = TOKEN.replace("vault", "storage");
    world.send(Imds, "GET", &other, &[M]).await;
    assert_ne!(*world.issuer.correlation.lock().unwrap(), Some(passed), "another request, another id");
}
