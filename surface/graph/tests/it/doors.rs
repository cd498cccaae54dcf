//! Every door of the table, knocked on by four callers.

use serde_json::json;

use crate::world::{World, object};

/// What stands in the places of a path, so that every row is about something that is there.
struct Known {
    application: String,
    group: String,
    user: String,
    trust: String,
}

impl Known {
    async fn made(world: &World) -> Self {
        let id = |v: serde_json::Value| v["id"].as_str().unwrap().to_owned();
        let application = id(world.post("/applications", &json!({"displayName": "app"})).await.ok());
        let user = json!({"displayName": "Ada", "userPrincipalName": "ada@s.example", "mailNickname": "ada",
            "accountEnabled": true, "passwordProfile": {"password": "never kept"}});
        let user = id(world.post("/users", &user).await.ok());
        let group = world.group("g").await;
        assert_eq!(world.join(&group, &object("m1").to_string()).await.status, 204);
        let trust = json!({"name": "lab", "issuer": "https://issuer.example", "subject": "s",
            "audiences": ["api://AzureADTokenExchange"]});
        let of = format!("/applications/{application}/federatedIdentityCredentials");
        let trust = id(world.post(&of, &trust).await.ok());
        Self { application, group, user, trust }
    }

    fn fill(&self, path: &str) -> String {
        let nobody = object("nobody").to_string();
        let id = match path.split('/').nth(2).unwrap() {
            "applications" => &self.application,
            "groups" => &self.group,
            "users" => &self.user,
            _ => &nobody,
        };
        path.replace("{id}", id)
            .replace("{who}", &object("m1").to_string())
            .replace("{which}", &self.trust)
            .replace("/v1.0", "")
    }
}

#[tokio::test]
async fn h10_every_door_asks_for_a_token_and_writing_for_rights() {
    let world = World::new().await;
    let known = Known::made(&world).await;
    let before = world.audited().await.len();
    let (mut doors, mut written) = (0, 0);
    for (method, path, writes) in cs_graph::doors() {
        doors += 1;
        let target = known.fill(path);
        let anonymous = world.send("", method, &target, "{}").await;
        assert_eq!(anonymous.refusal(), (401, "InvalidAuthenticationToken".into()), "{method} {path}");
        let challenge = anonymous.headers["www-authenticate"].to_str().unwrap();
        assert!(
            challenge.contains("authorization_uri=\"https://login.s.example:8443/common/oauth2/authorize\"")
        );
        assert_eq!(world.send("arm", method, &target, "{}").await.status, 401, "{method} {path}");
        let stranger = world.send("stranger", method, &target, "{}").await;
        assert!(!stranger.text.contains("\"app\"") && !stranger.text.contains("Ada"), "{method} {path}");
        let nobody = world.send("nobody", method, &target, "{}").await;
        if writes && !(path.contains("servicePrincipals") && method == "POST" && path.ends_with("Principals"))
        {
            written += 1;
            // Its own keys are nobody's business but its own; it is asked for a proof.
            let own = path.starts_with("/v1.0/servicePrincipals") && path.ends_with("Key");
            let refused =
                if own { (400, "Request_BadRequest") } else { (403, "Authorization_RequestDenied") };
            assert_eq!(nobody.refusal(), (refused.0, refused.1.to_owned()), "{method} {path}");
            assert!(stranger.status == 403 || stranger.status == 404, "{method} {path}: {}", stranger.status);
        } else {
            assert_ne!(nobody.status, 403, "{method} {path}");
            assert!(nobody.status < 500, "{method} {path}: {}", nobody.text);
        }
    }
    assert!(doors > 60 && written > 25, "{doors} {written}");
    let log = world.audited().await;
    assert!(log[..log.len() - before].iter().all(|r| r.outcome.as_str() == "denied"), "nothing was written");
    assert!(log.iter().any(|r| r.action == "microsoft.directory/groups/delete"));
}

#[tokio::test]
async fn owners_may_change_what_they_own_and_nothing_else() {
    let world = World::new().await;
    let app = world.post("/applications", &json!({"displayName": "theirs"})).await.ok();
    let other = world.post("/applications", &json!({"displayName": "others"})).await.ok();
    let (app, other) = (app["id"].as_str().unwrap(), other["id"].as_str().unwrap());
    let reference = json!({"@odata.id": format!("https://x/v1.0/directoryObjects/{}", object("nobody"))});
    let owners = format!("/applications/{app}/owners/$ref");
    assert_eq!(world.post(&owners, &reference).await.status, 204);
    let rename = r#"{"displayName":"mine"}"#;
    assert_eq!(world.send("nobody", "PATCH", &format!("/applications/{app}"), rename).await.status, 204);
    assert_eq!(world.send("nobody", "PATCH", &format!("/applications/{other}"), rename).await.status, 403);
    let secret = world.send("nobody", "POST", &format!("/applications/{app}/addPassword"), "").await.ok();
    assert_eq!(secret["secretText"].as_str().unwrap().len(), 64);
    let gone = format!("/applications/{app}/owners/{}/$ref", object("nobody"));
    assert_eq!(world.send("nobody", "DELETE", &gone, "").await.status, 204);
    assert_eq!(world.send("nobody", "PATCH", &format!("/applications/{app}"), rename).await.status, 403);
}
