//! Applications, service principals and their credentials, as `az ad` drives them.

use cs_store::{CredentialKind, Directory};
use serde_json::{Value, json};

use crate::world::{World, object, tenant};

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// `az ad sp create-for-rbac`, request by request (arm.md 6).
async fn for_rbac(world: &World, name: &str) -> (Value, Value, Value) {
    assert!(
        world.get(&format!("/servicePrincipals?$filter=displayName eq '{name}'")).await.names().is_empty()
    );
    assert!(
        world
            .get(&format!("/applications?$filter=startswith(displayName,'{name}')"))
            .await
            .names()
            .is_empty()
    );
    let app = world.post("/applications", &json!({"displayName": name, "keyCredentials": []})).await;
    assert_eq!(app.status, 201);
    let app = app.json();
    let asked = json!({"passwordCredential": {"displayName": "rbac", "startDateTime": "2027-01-15T08:00:00Z",
        "endDateTime": "2028-01-15T08:00:00Z"}});
    let secret = world.post(&format!("/applications/{}/addPassword", text(&app["id"])), &asked).await;
    assert_eq!(secret.status, 200);
    let acting = json!({"appId": app["appId"], "accountEnabled": "True"});
    let sp = world.post("/servicePrincipals", &acting).await;
    assert_eq!(sp.status, 201);
    (app, secret.json(), sp.json())
}

#[tokio::test]
async fn create_for_rbac_as_az_sends_it() {
    let world = World::new().await;
    let (app, secret, sp) = for_rbac(&world, "lab").await;
    assert_eq!((&app["passwordCredentials"], &app["keyCredentials"]), (&json!([]), &json!([])));
    assert_eq!(app["signInAudience"], json!("AzureADMyOrg"));
    assert!(text(&app["@odata.context"]).ends_with("/v1.0/$metadata#applications/$entity"));
    assert_eq!(secret["displayName"], json!("rbac"));
    assert_eq!(secret["endDateTime"], json!("2028-01-15T08:00:00Z"));
    assert!(text(&secret["secretText"]).starts_with(text(&secret["hint"])));
    assert_eq!((&sp["appId"], &sp["displayName"]), (&app["appId"], &json!("lab")));
    assert_ne!(sp["id"], app["id"], "an application and its service principal are two objects");
    assert_eq!(sp["servicePrincipalNames"], json!([app["appId"]]));
    assert_eq!((&sp["servicePrincipalType"], &sp["accountEnabled"]), (&json!("Application"), &json!(true)));

    let by_name =
        format!("/servicePrincipals?$filter=servicePrincipalNames/any(c:c eq '{}')", text(&app["appId"]));
    assert_eq!(world.get(&by_name).await.ok()["value"][0]["id"], sp["id"]);
    let by_object = by_name.replace(text(&app["appId"]), text(&sp["id"]));
    assert!(world.get(&by_object).await.names().is_empty(), "never by the object id");

    // The secret is what the token service looks for, and is shown nowhere again.
    let client = text(&app["appId"]).parse().unwrap();
    let stored = world.store.credentials(tenant(1), client).await.unwrap();
    assert_eq!((stored.len(), stored[0].kind), (1, CredentialKind::Secret));
    let listed = world.get(&format!("/applications/{}", text(&app["id"]))).await.ok();
    let password = &listed["passwordCredentials"][0];
    assert_eq!((&password["keyId"], &password["secretText"]), (&secret["keyId"], &Value::Null));
    assert_eq!((&password["displayName"], &password["hint"]), (&json!("rbac"), &secret["hint"]));
    let log = world.audited().await;
    assert!(log.iter().any(|r| r.action == "microsoft.directory/applications/credentials/update"));
    assert!(log.iter().all(|r| !r.because.contains(text(&secret["secretText"]))));
}

#[tokio::test]
async fn passwords_end_and_are_taken_away() {
    let world = World::new().await;
    let (app, secret, _) = for_rbac(&world, "lab").await;
    let of = format!("/applications/{}", text(&app["id"]));
    for (begin, end) in [
        ("2027-01-15T08:00:00Z", "2027-01-15T08:00:00Z"),
        ("2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z"),
        ("2027-01-15T08:00:00Z", "2040-01-01T00:00:00Z"),
        ("yesterday", "2028-01-01T00:00:00Z"),
    ] {
        let asked = json!({"passwordCredential": {"startDateTime": begin, "endDateTime": end}});
        let refused = world.post(&format!("{of}/addPassword"), &asked).await;
        assert_eq!(refused.refusal(), (400, "Request_BadRequest".into()), "{begin} {end}");
    }
    let key = json!({"keyId": secret["keyId"]});
    assert_eq!(world.post(&format!("{of}/removePassword"), &key).await.status, 204);
    assert_eq!(world.post(&format!("{of}/removePassword"), &key).await.status, 404);
    assert_eq!(world.get(&of).await.ok()["passwordCredentials"], json!([]));
    let machine = format!("/servicePrincipals/{}/addPassword", object("m1"));
    assert_eq!(world.post(&machine, &json!({})).await.status, 400, "a managed identity has no password");
}

fn certificate(bits: &rcgen::KeyPair) -> Vec<u8> {
    let params = rcgen::CertificateParams::new(vec!["app.example".to_owned()]).unwrap();
    params.self_signed(bits).unwrap().der().to_vec()
}

#[tokio::test]
async fn b13_certificates_are_read_before_they_count() {
    let world = World::new().await;
    let (app, ..) = for_rbac(&world, "lab").await;
    let of = format!("/applications/{}", text(&app["id"]));
    let elliptic = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    for bad in [
        cs_jose::encode_std("no certificate"),
        cs_jose::encode_std(certificate(&elliptic)),
        "%%%".to_owned(),
        cs_jose::encode_std(vec![0x30; 20_000]),
    ] {
        let body = json!({"keyCredentials": [{"type": "AsymmetricX509Cert", "usage": "Verify", "key": bad}]});
        let refused = world.send("admin", "PATCH", &of, &body.to_string()).await;
        assert_eq!(refused.refusal(), (400, "Request_BadRequest".into()), "{bad:.40}");
    }
    assert_eq!(world.get(&of).await.ok()["keyCredentials"], json!([]));
    let key = cs_jose::RsaKey::generate().unwrap().to_pkcs8().unwrap().to_vec();
    let pair = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&key.into(), &rcgen::PKCS_RSA_SHA256).unwrap();
    let der = cs_jose::encode_std(certificate(&pair));
    // Line breaks of a PEM file are left in by az.
    let (head, tail) = der.split_at(64);
    let body = json!({"keyCredentials": [{"type": "AsymmetricX509Cert", "usage": "Verify", "key": format!("{head}\n{tail}\n"),
        "displayName": "CN=lab", "endDateTime": "2028-01-01T00:00:00Z"}]});
    assert_eq!(world.send("admin", "PATCH", &of, &body.to_string()).await.status, 204);
    let shown = world.get(&of).await.ok()["keyCredentials"].clone();
    assert_eq!((shown[0]["displayName"].clone(), shown[0]["key"].clone()), (json!("CN=lab"), Value::Null));
    assert_eq!(text(&shown[0]["customKeyIdentifier"]).len(), 28, "base64 of 20 bytes");
    let selected = world.get(&format!("{of}?$select=keyCredentials")).await.ok();
    assert_eq!(selected["keyCredentials"][0]["key"], json!(der));
    assert!(selected.get("displayName").is_none());
    // `az ad app credential reset --append` sends back what it read, keys left out.
    let back = json!({"keyCredentials": [{"keyId": shown[0]["keyId"], "key": null}]});
    assert_eq!(world.send("admin", "PATCH", &of, &back.to_string()).await.status, 204);
    assert_eq!(world.get(&of).await.ok()["keyCredentials"][0]["keyId"], shown[0]["keyId"]);
    let none = json!({"keyCredentials": []});
    assert_eq!(world.send("admin", "PATCH", &of, &none.to_string()).await.status, 204);
    assert_eq!(world.get(&of).await.ok()["keyCredentials"], json!([]));
}

#[tokio::test]
async fn d05_a_service_principal_made_again_is_another() {
    let world = World::new().await;
    let (app, _, first) = for_rbac(&world, "lab").await;
    let twice = world.post("/servicePrincipals", &json!({"appId": app["appId"]})).await;
    assert_eq!(twice.refusal(), (409, "Request_MultipleObjectsWithSameKeyValue".into()));
    let of = format!("/servicePrincipals/{}", text(&first["id"]));
    assert_eq!(world.send("admin", "DELETE", &of, "").await.status, 204);
    assert_eq!(world.get(&of).await.refusal(), (404, "Request_ResourceNotFound".into()));
    let second = world.post("/servicePrincipals", &json!({"appId": app["appId"]})).await.ok();
    assert_ne!(second["id"], first["id"]);
    let kept = world.get(&format!("/applications/{}", text(&app["id"]))).await.ok();
    assert_eq!(kept["passwordCredentials"].as_array().unwrap().len(), 1, "the application's stay");
    let unknown = json!({"appId": "00000000-0000-0000-0000-0000000000ff"});
    let refused = world.post("/servicePrincipals", &unknown).await;
    assert_eq!(refused.refusal(), (400, "Request_BadRequest".into()));
    for retried in [" does not reference ", " does not exist ", "must in the local tenant"] {
        assert!(!refused.text.contains(retried), "az would try again for three minutes: {}", refused.text);
    }
    let whole = format!("/applications/{}", text(&app["id"]));
    assert_eq!(world.send("admin", "DELETE", &whole, "").await.status, 204);
    assert_eq!(world.get(&format!("/servicePrincipals/{}", text(&second["id"]))).await.status, 404);
    let client = text(&app["appId"]).parse().unwrap();
    assert!(world.store.credentials(tenant(1), client).await.unwrap().is_empty());
}

#[tokio::test]
async fn uris_name_one_application() {
    let world = World::new().await;
    let uris = json!({"displayName": "api", "identifierUris": ["api://lab"], "notes": "kept"});
    let app = world.post("/applications", &uris).await.ok();
    assert_eq!(app["notes"], json!("kept"), "what is not known round-trips");
    let taken = world.post("/applications", &uris).await;
    assert_eq!(taken.refusal(), (400, "Request_BadRequest".into()));
    world.post("/servicePrincipals", &json!({"appId": app["appId"]})).await.ok();
    let found = world.get("/servicePrincipals?$filter=servicePrincipalNames/any(c:c eq 'api://lab')").await;
    assert_eq!(found.ok()["value"][0]["appId"], app["appId"]);
    let found = world.get("/applications?$filter=identifierUris/any(s:s eq 'api://lab')").await;
    assert_eq!(found.names(), ["api"]);
    let of = format!("/applications/{}", text(&app["id"]));
    assert_eq!(world.send("admin", "PATCH", &of, r#"{"identifierUris":[]}"#).await.status, 204);
    assert!(
        world.get("/applications?$filter=identifierUris/any(s:s eq 'api://lab')").await.names().is_empty()
    );
    world.post("/applications", &uris).await.ok();
}

#[tokio::test]
async fn b14_b15_trust_is_written_down_exactly_or_not_at_all() {
    let world = World::new().await;
    let (app, ..) = for_rbac(&world, "lab").await;
    let of = format!("/applications/{}/federatedIdentityCredentials", text(&app["id"]));
    let trust = |issuer: &str, subject: &str| json!({"name": "lab", "issuer": issuer, "subject": subject, "audiences": ["api://AzureADTokenExchange"]});
    for (issuer, subject) in [
        ("https://Issuer.example", "s"),
        ("https://issuer.example:443", "s"),
        ("http://issuer.example", "s"),
        ("https://issuer.example", "*"),
        ("https://issuer.example", "^s"),
        ("https://issuer.example", " "),
    ] {
        assert_eq!(world.post(&of, &trust(issuer, subject)).await.status, 400, "{issuer} {subject}");
    }
    let made = world.post(&of, &trust("https://issuer.example", "s")).await;
    assert_eq!(made.status, 201);
    assert_eq!(world.post(&of, &trust("https://issuer.example", "t")).await.status, 409, "the name is taken");
    let mut twin = trust("https://issuer.example", "s");
    twin["name"] = json!("twin");
    assert_eq!(world.post(&of, &twin).await.status, 409, "issuer and subject are");
    for n in 1..20 {
        let mut more = trust("https://issuer.example", &format!("s{n}"));
        more["name"] = json!(format!("more{n}"));
        assert_eq!(world.post(&of, &more).await.status, 201);
    }
    twin["subject"] = json!("one too many");
    assert_eq!(world.post(&of, &twin).await.refusal(), (400, "Directory_QuotaExceeded".into()));
    let one = format!("{of}/lab");
    assert_eq!(world.send("admin", "PATCH", &one, r#"{"subject":"u"}"#).await.status, 204);
    assert_eq!(world.get(&one).await.ok()["subject"], json!("u"));
    let by_id = format!("{of}/{}", text(&made.json()["id"]));
    assert_eq!(world.send("admin", "DELETE", &by_id, "").await.status, 204);
    assert_eq!(world.get(&one).await.status, 404);
}
