//! The sources beside HIMDS and IMDS, on listeners of their own, for one identity or all.

use std::sync::Arc;

use cs_broker::IssueError;
use cs_metadata::{Pinned, Secret, Service, Source};
use cs_serve::{Router, full};
use serde_json::json;

use crate::world::{Reply, World, system, user_assigned};

const VAULT: &str = "https%3A%2F%2Fvault.azure.net";

fn source(world: &World, service: Service, only: Option<Pinned>) -> Arc<dyn Router> {
    let header = (service == Service::AppService).then(|| Secret::from("s3cret".to_owned()));
    world.parts.source(Source { service, header, only, hosts: vec!["10.88.0.1".to_owned()] })
}

async fn app_service(router: &Arc<dyn Router>, more: &str) -> Reply {
    let target = format!("/msi/token?api-version=2019-08-01&resource={VAULT}{more}");
    let request =
        http::Request::get(target).header("Host", "127.0.0.1:41").header("x-identity-header", "s3cret");
    World::ask(router, request.body(full("")).unwrap()).await
}

async fn cloud_shell(router: &Arc<dyn Router>, form: &str) -> Reply {
    let request =
        http::Request::post("/oauth2/token").header("Host", "localhost:50342").header("Metadata", "true");
    World::ask(router, request.body(full(form.to_owned())).unwrap()).await
}

#[tokio::test]
async fn app_service_answers_every_kind_of_selector() {
    let world = World::new();
    let all = source(&world, Service::AppService, None);
    let reply = app_service(&all, "").await;
    let (client, token) =
        (system().client, format!("token of {} for https://vault.azure.net, number 1", system().client));
    assert_eq!(
        reply.text,
        format!(
            "{{\"access_token\":\"{token}\",\"client_id\":\"{client}\",\"expires_on\":\"1800086400\",\
             \"resource\":\"https://vault.azure.net\",\"token_type\":\"Bearer\"}}"
        )
    );
    let u = user_assigned();
    for selector in [
        format!("client_id={}", u.client),
        format!("object_id={}", u.object),
        format!("principal_id={}", u.object),
        format!("mi_res_id={}", u.resource),
        format!("msi_res_id={}", u.resource.to_uppercase()),
    ] {
        let reply = app_service(&all, &format!("&{selector}")).await;
        assert_eq!(reply.json()["client_id"], u.client.to_string(), "{selector}: {}", reply.text);
    }
}

/// What go-autorest, msrestazure, ms-rest-nodeauth and azure-identity for Python before 1.5 send, and MSAL for Azure ML.
#[tokio::test]
async fn app_service_speaks_the_protocol_of_2017_too() {
    let world = World::new();
    let all = source(&world, Service::AppService, None);
    let ask = async |path: &str, secret: &str, more: &str| {
        let target = format!("{path}?api-version=2017-09-01&resource={VAULT}{more}");
        let request = http::Request::get(target).header("Host", "127.0.0.1:41").header("Secret", secret);
        World::ask(&all, request.body(full("")).unwrap()).await
    };
    let (own, u) = (system().client.to_string(), user_assigned());
    for (path, more, whose) in [
        ("/msi/token", String::new(), &own),
        ("/msi/token/", format!("&clientid={}", u.client), &u.client.to_string()),
        ("/msi/token", format!("&mi_res_id={}", u.resource), &u.client.to_string()),
    ] {
        let reply = ask(path, "s3cret", &more).await;
        assert_eq!(reply.json()["client_id"], **whose, "{more}: {}", reply.text);
        // A number: go-autorest takes it before it tries its two ways to write a date.
        assert_eq!(reply.json()["expires_on"], "1800086400");
    }
    assert_eq!(ask("/msi/token", "other", "").await.status, 401);
    assert_eq!(ask("/msi/token", "s3cret", "&clientid=nobody").await.status, 400);
    let both = format!("&clientid={}&object_id={}", u.client, u.object);
    assert_eq!(ask("/msi/token", "s3cret", &both).await.status, 400);
}

#[tokio::test]
async fn app_service_says_why_not_in_its_own_shape() {
    let world = World::new();
    let all = source(&world, Service::AppService, None);
    let unknown = app_service(&all, "&client_id=nobody").await;
    assert_eq!((unknown.status, unknown.json()["statusCode"].as_u64()), (400, Some(400)));
    assert_eq!(unknown.json()["message"], "Identity not found");
    assert!(unknown.json()["correlationId"].as_str().unwrap().len() == 36);
    world.issuer.fail(Some(IssueError::Refused { code: "500011".into(), text: "AADSTS500011: no".into() }));
    assert_eq!(app_service(&all, "").await.json()["message"], "AADSTS500011: no");
    world.issuer.fail(Some(IssueError::Unreachable("down".into())));
    let away = app_service(&all, "").await;
    assert_eq!((away.status, away.headers["retry-after"].to_str().unwrap()), (503, "5"));
    let ask = |target: &str, header: &str| {
        let request =
            http::Request::get(target).header("Host", "localhost").header("X-IDENTITY-HEADER", header);
        let request = request.body(full("")).unwrap();
        let all = Arc::clone(&all);
        async move { World::ask(&all, request).await.status }
    };
    assert_eq!(ask("/msi/token?api-version=2019-08-01&resource=x", "other").await, 401);
    assert_eq!(ask("/msi/token?resource=x", "s3cret").await, 400, "no api-version");
    assert_eq!(ask("/msi/token?api-version=2019-08-01", "s3cret").await, 400, "no resource");
    assert_eq!(ask("/metadata/instance?api-version=2021-02-01", "s3cret").await, 404);
}

#[tokio::test]
async fn cloud_shell_takes_a_form() {
    let world = World::new();
    let all = source(&world, Service::CloudShell, None);
    let reply = cloud_shell(&all, &format!("resource={VAULT}")).await;
    assert_eq!((reply.status, reply.json()["token_type"].as_str()), (200, Some("Bearer")));
    assert_eq!(
        (reply.json()["expires_in"].as_str(), reply.json()["expires_on"].as_str()),
        (Some("86400"), Some("1800086400"))
    );
    let chosen = cloud_shell(&all, &format!("resource={VAULT}&client_id={}", user_assigned().client)).await;
    assert_eq!(chosen.json()["client_id"], user_assigned().client.to_string());
}

#[tokio::test]
async fn a04_a06_cloud_shell_is_no_door_for_pages_and_proxies() {
    let world = World::new();
    let all = source(&world, Service::CloudShell, None);
    let form = format!("resource={VAULT}");
    let long = format!("resource={}", "x".repeat(5000));
    for (method, target, headers, body, status, code) in [
        ("POST", "/oauth2/token", &[][..], &form, 400, "invalid_request"),
        ("POST", "/oauth2/token", &[("Metadata", "true"), ("Origin", "http://x")], &form, 403, "forbidden"),
        ("POST", "/oauth2/token", &[("Metadata", "true"), ("Via", "1.1 p")], &form, 403, "forbidden"),
        (
            "POST",
            "/oauth2/token",
            &[("Metadata", "true"), ("X-Forwarded-For", "1.2.3.4")],
            &form,
            403,
            "forbidden",
        ),
        ("POST", "/oauth2/token", &[("Metadata", "true"), ("Host", "evil.example")], &form, 403, "forbidden"),
        ("POST", "/oauth2/token?resource=x", &[("Metadata", "true")], &String::new(), 400, "invalid_request"),
        ("POST", "/oauth2/token", &[("Metadata", "true")], &String::new(), 400, "invalid_request"),
        (
            "POST",
            "/oauth2/token",
            &[("Metadata", "true")],
            &"resource=a&RESOURCE=b".to_owned(),
            400,
            "invalid_request",
        ),
        ("POST", "/oauth2/token", &[("Metadata", "true")], &long, 400, "invalid_request"),
    ] {
        let mut request = http::Request::builder().method(method).uri(target);
        if !headers.iter().any(|(name, _)| *name == "Host") {
            request = request.header("Host", "localhost:50342");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let reply = World::ask(&all, request.body(full(body.clone())).unwrap()).await;
        assert_eq!(
            (reply.status, reply.json()["error"]["code"].as_str()),
            (status, Some(code)),
            "{headers:?}"
        );
        assert!(reply.json()["error"]["message"].is_string() && !reply.text.contains("access_token"));
    }
    let ask = |method: &str, metadata: &str| {
        let request = http::Request::builder().method(method).uri(format!("/oauth2/token?resource={VAULT}"));
        let request = request.header("Host", "localhost").header("Metadata", metadata);
        let (all, request) = (Arc::clone(&all), request.body(full("")).unwrap());
        async move { World::ask(&all, request).await.status }
    };
    assert_eq!((ask("GET", "true").await, ask("GET", "").await, ask("PUT", "true").await), (200, 400, 405));
}

/// A container has the identity it was given, and cannot ask for its neighbour's.
#[tokio::test]
async fn a11_a_listener_with_an_identity_of_its_own_gives_no_other() {
    let world = World::new();
    let u = user_assigned();
    for name in [u.client.to_string(), u.object.to_string().to_uppercase(), u.resource.clone()] {
        let only = Some(Pinned::Named(name));
        let pinned = source(&world, Service::AppService, only.clone());
        assert_eq!(app_service(&pinned, "").await.json()["client_id"], u.client.to_string());
        let other = app_service(&pinned, &format!("&client_id={}", system().client)).await;
        assert_eq!((other.status, other.json()["message"].as_str()), (400, Some("Identity not found")));
        let imds = source(&world, Service::Imds, only);
        let ask = |more: String| {
            let target =
                format!("/metadata/identity/oauth2/token?api-version=2018-02-01&resource={VAULT}{more}");
            let request =
                http::Request::get(target).header("Host", "169.254.169.254").header("Metadata", "true");
            let (imds, request) = (Arc::clone(&imds), request.body(full("")).unwrap());
            async move { World::ask(&imds, request).await }
        };
        assert_eq!(ask(String::new()).await.json()["client_id"], u.client.to_string());
        let other = ask(format!("&object_id={}", system().object)).await;
        assert_eq!(
            (other.status, other.json()["error_description"].as_str()),
            (400, Some("Identity not found"))
        );
    }
    let own = source(&world, Service::CloudShell, Some(Pinned::System));
    let form = format!("resource={VAULT}&mi_res_id={}", u.resource);
    assert_eq!(
        cloud_shell(&own, &form).await.json()["error"],
        json!({"code": "invalid_request", "message": "Identity not found"})
    );
    let nobody = source(&world, Service::CloudShell, Some(Pinned::Named("not attached".into())));
    assert_eq!(cloud_shell(&nobody, &format!("resource={VAULT}")).await.status, 400);
}

#[tokio::test]
async fn a05_a_listener_answers_to_the_names_it_was_given() {
    let world = World::new();
    let router = source(&world, Service::AppService, None);
    for (host, status) in
        [("10.88.0.1:41", 200), ("10.88.0.2:41", 403), ("localhost", 200), ("evil.example", 403)]
    {
        let target = format!("/msi/token?api-version=2019-08-01&resource={VAULT}");
        let request = http::Request::get(target).header("Host", host).header("X-IDENTITY-HEADER", "s3cret");
        assert_eq!(World::ask(&router, request.body(full("")).unwrap()).await.status, status, "{host}");
    }
}
