//! Client certificates of database servers: who gets which, and what stands in them.

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, SanType};
use serde_json::{Value, json};

use crate::authority::AUTHORITY;
use crate::world::{OWNER, Reply, S, World, object};

fn server(name: &str) -> String {
    format!("{S}/resourceGroups/Lab/providers/Microsoft.DBforPostgreSQL/flexibleServers/{name}")
}

/// A server that gives certificates; `reader` may be "reports" there, and whoever is in the team "Data Team".
async fn world() -> World {
    let world = World::with_group().await;
    put_server(&world, json!({"lifeSeconds": 3600})).await;
    rule(&world, &object("reader").to_string(), "reports", "ServicePrincipal").await;
    world
}

async fn put_server(world: &World, certificates: Value) {
    let properties = json!({"backend": {"host": "db1.lan", "certificateAuthority": *AUTHORITY},
        "clientCertificates": certificates});
    let body = json!({"location": "local", "properties": properties}).to_string();
    world.put("owner", &server("db1"), &body).await.ok();
}

async fn rule(world: &World, who: &str, role: &str, kind: &str) {
    let body = json!({"properties": {"principalName": role, "principalType": kind}}).to_string();
    world.put("owner", &format!("{}/administrators/{who}", server("db1")), &body).await.ok();
}

fn request(role: &str, change: impl FnOnce(&mut CertificateParams)) -> String {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, role);
    change(&mut params);
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    params.serialize_request(&key).unwrap().pem().unwrap()
}

async fn ask(world: &World, who: &str, role: &str) -> Reply {
    let body = json!({"role": role, "certificateRequest": request(role, |_| {})});
    world.send(who, "POST", &format!("{}/signClientCertificate", server("db1")), &body.to_string()).await
}

#[tokio::test]
async fn a_principal_gets_a_certificate_for_its_role_and_the_way_to_the_server() {
    let world = world().await;
    let answer = ask(&world, "reader", "reports").await.ok();
    assert_eq!((&answer["role"], &answer["lifeSeconds"]), (&json!("reports"), &json!(3600)));
    assert_eq!(answer["notAfter"], "2027-01-15T09:00:00Z");
    assert_eq!(answer["backend"]["serverName"], "db1.lan");
    assert_eq!(answer["backend"]["certificateAuthority"], *AUTHORITY);
    let made = world.get("owner", &server("db1")).await.ok();
    let authority = made["properties"]["clientCertificateAuthority"].as_str().unwrap();
    let (_, authority) = x509_parser::pem::parse_x509_pem(authority.as_bytes()).unwrap();
    let (_, pem) =
        x509_parser::pem::parse_x509_pem(answer["certificate"].as_str().unwrap().as_bytes()).unwrap();
    let (certificate, authority) = (pem.parse_x509().unwrap(), authority.parse_x509().unwrap());
    assert!(certificate.verify_signature(Some(authority.public_key())).is_ok());
    assert_eq!(certificate.subject().to_string(), "CN=reports");
    assert!(!certificate.is_ca() && certificate.subject_alternative_name().unwrap().is_none());
    assert_eq!(certificate.validity().not_after.timestamp(), 1_800_003_600);
    let log = world.audited().await;
    let done = log.iter().find(|r| r.action.ends_with("signClientCertificate/action")).unwrap();
    assert_eq!((done.outcome.as_str(), done.caller), ("done", Some(object("reader"))));
    assert!(done.because.contains("role reports"), "{}", done.because);
}

#[tokio::test]
async fn c05_nobody_gets_anothers_role_not_even_the_owner() {
    let world = world().await;
    world.meet("top").await;
    world.grant("top", OWNER, "/", None).await;
    for (who, role) in [("reader", "admin"), ("nobody", "reports"), ("owner", "reports"), ("top", "reports")]
    {
        let refused = ask(&world, who, role).await;
        assert_eq!(refused.refusal(), (403, "AuthorizationFailed".into()), "{who} {role}");
    }
    // A server that is not there reads the same.
    let body = json!({"role": "reports", "certificateRequest": request("reports", |_| {})}).to_string();
    let nowhere = format!("{}/signClientCertificate", server("db9"));
    let (there, not) =
        (ask(&world, "nobody", "reports").await, world.send("nobody", "POST", &nowhere, &body).await);
    assert_eq!(there.text.replace("db1", "db9"), not.text);
    let refused = world.recorded().await;
    let refused = refused.iter().filter(|r| r.action.ends_with("signClientCertificate/action"));
    assert_eq!(refused.filter(|r| r.outcome.as_str() == "denied").count(), 6, "each before it was told");
    let log = world.audited().await;
    assert!(
        !log.iter()
            .any(|r| r.action.ends_with("signClientCertificate/action") && r.outcome.as_str() == "done")
    );
}

#[tokio::test]
async fn members_get_their_groups_role_until_they_leave() {
    let world = world().await;
    let team = world.directory_group("team").await;
    rule(&world, &team.to_string(), "Data Team", "Group").await;
    assert_eq!(ask(&world, "nobody", "Data Team").await.status, 403);
    world.join(team, object("nobody")).await;
    assert_eq!(ask(&world, "nobody", "Data Team").await.status, 200);
}

#[tokio::test]
async fn c05_requests_for_more_than_the_role_are_refused() {
    let world = world().await;
    let path = format!("{}/signClientCertificate", server("db1"));
    let login = || SanType::DnsName("login.s.example".try_into().unwrap());
    let named = request("reports", |p| p.subject_alt_names.push(login()));
    let ca = request("reports", |p| p.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained));
    let served =
        request("reports", |p| p.extended_key_usages.push(rcgen::ExtendedKeyUsagePurpose::ServerAuth));
    for bad in [named, ca, served, request("admin", |_| {}), "x".to_owned()] {
        let body = json!({"role": "reports", "certificateRequest": bad}).to_string();
        let refused = world.send("reader", "POST", &path, &body).await;
        assert_eq!(refused.refusal(), (400, "InvalidParameter".into()), "{bad}");
    }
    for body in [
        json!({"role": "pg_monitor", "certificateRequest": request("pg_monitor", |_| {})}),
        json!({"role": "reports", "certificateRequest": request("reports", |_| {}), "lifeSeconds": 1}),
        json!({"role": "reports", "certificateRequest": request("reports", |_| {}), "subject": "CN=admin"}),
    ] {
        assert_eq!(world.send("reader", "POST", &path, &body.to_string()).await.status, 400, "{body}");
    }
}

#[tokio::test]
async fn a_life_may_be_shorter_and_is_never_longer_and_a_server_may_give_none() {
    let world = world().await;
    let path = format!("{}/signClientCertificate", server("db1"));
    for (asked, given) in [(60, 60), (86_400, 3600)] {
        let body = json!({"role": "reports", "certificateRequest": request("reports", |_| {}), "lifeSeconds": asked});
        let answer = world.send("reader", "POST", &path, &body.to_string()).await.ok();
        assert_eq!(answer["lifeSeconds"], given);
    }
    put_server(&world, Value::Null).await;
    let off = ask(&world, "reader", "reports").await;
    assert_eq!(off.refusal(), (409, "ClientCertificatesDisabled".into()));
    assert_eq!(ask(&world, "nobody", "reports").await.status, 403);
}
