//! attacks.md, Metadata & HIMDS.

use cs_metadata::Service::{Himds, Imds};

use crate::world::{TOKEN, World};

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

#[tokio::test]
async fn a06_pages_in_browsers_are_refused() {
    let world = World::new();
    for name in ["Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode"] {
        for service in [Himds, Imds] {
            assert_eq!(world.send(service, "GET", TOKEN, &[M, (name, "x")]).await.status, 403, "{name}");
        }
    }
    let options = world.send(Himds, "OPTIONS", TOKEN, &[("Origin", "https://evil.example")]).await;
    assert_eq!(options.status, 405);
    assert!(!options.headers.keys().any(|k| k.as_str().starts_with("access-control")));
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
        let reply = world.get(service, &format!("{TOKEN}&client_id=a&object_id=b")).await;
        assert_eq!((reply.status, reply.json()["error"].as_str()), (400, Some("invalid_request")));
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
    let reply = world.get(Himds, TOKEN).await;
    assert_eq!((reply.status, reply.json()["error"].as_str()), (500, Some("server_error")));
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
