//! What an application holds and what its service principal holds, and objects named by a key in parentheses.

use cs_time::Clock as _;
use serde_json::{Value, json};

use crate::world::World;

async fn made(world: &World) -> (Value, Value) {
    let app = world.post("/applications", &json!({"displayName": "lab"})).await.ok();
    let acting = world.post("/servicePrincipals", &json!({"appId": app["appId"]})).await.ok();
    (app, acting)
}

fn path(of: &str, object: &Value) -> String {
    format!("/{of}/{}", object["id"].as_str().unwrap())
}

async fn passwords(world: &World, of: &str) -> Vec<String> {
    let all = world.get(of).await.ok()["passwordCredentials"].clone();
    all.as_array().unwrap().iter().map(|p| p["displayName"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn d05_each_object_has_its_own_passwords_and_loses_them_with_itself() {
    let world = World::new().await;
    let (app, acting) = made(&world).await;
    let (app_path, acting_path) = (path("applications", &app), path("servicePrincipals", &acting));
    let named = |name: &str| json!({"passwordCredential": {"displayName": name}});
    let of_app = world.post(&format!("{app_path}/addPassword"), &named("app")).await.ok();
    let of_acting = world.post(&format!("{acting_path}/addPassword"), &named("acting")).await.ok();
    assert_eq!(passwords(&world, &app_path).await, ["app"]);
    assert_eq!(passwords(&world, &acting_path).await, ["acting"]);
    // Neither takes the other's away.
    let others = json!({"keyId": of_acting["keyId"]});
    assert_eq!(world.post(&format!("{app_path}/removePassword"), &others).await.status, 404);
    let others = json!({"keyId": of_app["keyId"]});
    assert_eq!(world.post(&format!("{acting_path}/removePassword"), &others).await.status, 404);
    assert_eq!(world.send("admin", "PATCH", &acting_path, r#"{"keyCredentials":[]}"#).await.status, 204);
    // A principal made again does not know the old one's password; the application's counts for both.
    assert_eq!(world.send("admin", "DELETE", &acting_path, "").await.status, 204);
    let again = world.post("/servicePrincipals", &json!({"appId": app["appId"]})).await.ok();
    assert_eq!(again["passwordCredentials"], json!([]));
    assert_eq!(passwords(&world, &app_path).await, ["app"]);
}

/// A certificate and what signs with its key.
fn certificate() -> (String, cs_jose::Signer) {
    let key = cs_jose::RsaKey::generate().unwrap();
    let pkcs8 = key.to_pkcs8().unwrap().to_vec();
    let pair = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8.into(), &rcgen::PKCS_RSA_SHA256).unwrap();
    let params = rcgen::CertificateParams::new(vec!["app.example".to_owned()]).unwrap();
    let der = cs_jose::encode_std(params.self_signed(&pair).unwrap().der());
    (der, cs_jose::Signer::certificate(key, "", ""))
}

#[tokio::test]
async fn b09_a_certificate_is_added_by_whoever_holds_the_key_of_another() {
    let world = World::new().await;
    let (app, acting) = made(&world).await;
    let (first, signer) = certificate();
    let (second, stranger) = certificate();
    for of in [path("applications", &app), path("servicePrincipals", &acting)] {
        let id = of.rsplit('/').next().unwrap().to_owned();
        let now = world.clock.now().seconds();
        let proof = |by: &cs_jose::Signer, iss: &str, aud: &str, exp: i64| {
            by.sign(&json!({"iss": iss, "aud": aud, "nbf": now, "exp": exp})).unwrap()
        };
        const DIRECTORY: &str = "00000002-0000-0000-c000-000000000000";
        let add = |proof: &str| json!({"keyCredential": {"type": "AsymmetricX509Cert", "usage": "Verify", "key": second}, "proof": proof});
        let good = proof(&signer, &id, DIRECTORY, now + 600);
        let none = world.post(&format!("{of}/addKey"), &add(&good)).await;
        assert_eq!(none.refusal(), (400, "Request_BadRequest".into()), "there is no first one yet");
        let keys =
            json!({"keyCredentials": [{"type": "AsymmetricX509Cert", "usage": "Verify", "key": first}]});
        assert_eq!(world.send("admin", "PATCH", &of, &keys.to_string()).await.status, 204);
        for (bad, why) in [
            (String::new(), "'proof'"),
            ("x.y.z".to_owned(), "cannot be read"),
            (proof(&stranger, &id, DIRECTORY, now + 600), "has signed it"),
            (proof(&signer, &id, "https://graph.microsoft.com", now + 600), "'aud'"),
            (proof(&signer, app["appId"].as_str().unwrap(), DIRECTORY, now + 600), "'iss'"),
            (proof(&signer, &id, DIRECTORY, now), "'exp'"),
            (proof(&signer, &id, DIRECTORY, now + 86_400), "'exp'"),
        ] {
            let refused = world.post(&format!("{of}/addKey"), &add(&bad)).await;
            assert_eq!(refused.refusal(), (400, "Request_BadRequest".into()), "{why}");
            assert!(refused.text.contains(why), "{why}: {}", refused.text);
        }
        let denied = world.send("nobody", "POST", &format!("{of}/addKey"), &add(&good).to_string()).await;
        assert_eq!(
            denied.refusal(),
            (403, "Authorization_RequestDenied".into()),
            "a proof alone is no right"
        );
        let added = world.post(&format!("{of}/addKey"), &add(&good)).await.ok();
        assert_eq!(world.get(&of).await.ok()["keyCredentials"].as_array().unwrap().len(), 2);
        let take = json!({"keyId": added["keyId"], "proof": proof(&stranger, &id, DIRECTORY, now + 60)});
        assert_eq!(world.post(&format!("{of}/removeKey"), &take).await.status, 204, "signed by the new one");
        assert_eq!(world.get(&of).await.ok()["keyCredentials"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn objects_are_named_in_parentheses() {
    let world = World::new().await;
    let (app, acting) = made(&world).await;
    let client = app["appId"].as_str().unwrap();
    let user = json!({"displayName": "Ada", "userPrincipalName": "$ada@s.example", "mailNickname": "ada"});
    world.post("/users", &user).await.ok();
    for name in ["/users('$ada@s.example')", "/users/$ada@s.example", "/users%28%27%24ada%40s.example%27%29"]
    {
        assert_eq!(world.get(name).await.ok()["displayName"], json!("Ada"), "{name}");
    }
    assert_eq!(world.get(&format!("/servicePrincipals(appId='{client}')")).await.ok()["id"], acting["id"]);
    assert_eq!(world.get(&format!("/applications(appId='{client}')/owners")).await.status, 200);
    assert_eq!(
        world.get(&format!("/groups('{client}')")).await.refusal(),
        (404, "Request_ResourceNotFound".into())
    );
    let unknown = world.get("/servicePrincipals(appId='99999999-0000-4000-8000-000000000000')").await;
    assert_eq!(unknown.refusal(), (404, "Request_ResourceNotFound".into()));
    let stranger = world.send("stranger", "GET", &format!("/applications(appId='{client}')"), "").await;
    assert_eq!(stranger.status, 404, "another tenant's");
    for odd in [
        "/users('')",
        "/users('a'b')",
        "/users(a)",
        "/users(appId='x')",
        "/users('a",
        "/applications(appId='x')",
    ] {
        let refused = world.get(odd).await;
        assert!(refused.status == 400 || refused.status == 404, "{odd}: {}", refused.text);
    }
}
