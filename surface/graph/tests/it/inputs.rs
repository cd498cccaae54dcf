//! What callers send that cannot be answered.

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn a_filter_that_is_not_known_is_refused_not_ignored() {
    let world = World::new().await;
    for bad in [
        "nonsense",
        "displayName gt 'x'",
        "secret eq 'x'",
        "displayName eq 'x",
        "displayName eq 'x' and foo eq 'y'",
        "startswith(appId,'x')",
        "foo/any(c:c eq 'x')",
    ] {
        for of in ["servicePrincipals", "applications", "users", "groups"] {
            let reply = world.get(&format!("/{of}?$filter={bad}")).await;
            assert_eq!(reply.refusal(), (400, "Request_UnsupportedQuery".into()), "{of} {bad}");
        }
    }
    for bad in ["$orderby=displayName", "$search=\"displayName:x\"", "$select=a'b"] {
        let reply = world.get(&format!("/groups?{}", bad.replace('"', "%22"))).await;
        assert_eq!(reply.refusal(), (400, "Request_UnsupportedQuery".into()), "{bad}");
    }
    for bad in ["$top=0", "$top=x", "$top=1000", "$skiptoken=x"] {
        assert_eq!(world.get(&format!("/groups?{bad}")).await.status, 400, "{bad}");
    }
    assert_eq!(world.get("/groups?$top=1&$top=2").await.status, 400);
}

#[tokio::test]
async fn d07_bodies_name_the_property_that_is_wrong() {
    let world = World::new().await;
    for (target, body, named) in [
        ("/applications", json!({}), "displayName"),
        ("/applications", json!({"displayName": 7}), "displayName"),
        ("/applications", json!({"displayName": "x".repeat(121)}), "displayName"),
        ("/applications", json!({"displayName": "a\nb"}), "displayName"),
        ("/applications", json!({"displayName": "a", "identifierUris": "api://x"}), "identifierUris"),
        ("/applications", json!({"displayName": "a", "identifierUris": ["no uri"]}), "identifierUris"),
        ("/applications", json!({"displayName": "a", "keyCredentials": [1]}), "keyCredentials"),
        ("/applications", json!({"displayName": "a", "more": "x".repeat(40_000)}), "too large"),
        ("/servicePrincipals", json!({"appId": "x"}), "appId"),
        ("/users", json!({"displayName": "a"}), "userPrincipalName"),
        ("/users", json!({"displayName": "a", "userPrincipalName": "a"}), "userPrincipalName"),
        ("/groups", json!({"displayName": "a", "mailNickname": "a b"}), "mailNickname"),
        ("/groups", json!({"displayName": "a", "mailNickname": "a", "mailEnabled": true}), "mailEnabled"),
    ] {
        let reply = world.post(target, &body).await;
        assert_eq!(reply.refusal(), (400, "Request_BadRequest".into()), "{target} {body:.60}");
        assert!(reply.text.contains(named), "{target}: {}", reply.text);
    }
    let deep = format!("{{\"displayName\":\"a\",\"more\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    for body in ["", "[]", "{", "\"x\"", &"[".repeat(100_000), &deep] {
        let reply = world.send("admin", "POST", "/applications", body).await;
        assert_eq!(reply.refusal(), (400, "Request_BadRequest".into()), "{body:.20}");
    }
    for bytes in [300_000, 5 << 20] {
        let large = format!("{{\"displayName\":\"{}\"}}", "x".repeat(bytes));
        assert_eq!(world.send("admin", "POST", "/applications", &large).await.status, 413);
    }
    assert!(world.get("/applications").await.names().is_empty(), "nothing was made");
}

#[tokio::test]
async fn d07_questions_have_limits() {
    let world = World::new().await;
    let group = world.group("g").await;
    for bad in [
        format!("{}displayName eq 'x'{}", "(".repeat(3000), ")".repeat(3000)),
        vec!["displayName eq 'x'"; 1000].join(" or "),
        format!("displayName eq '{}'", "x".repeat(5000)),
        format!("displayName eq {}", "'".repeat(1001)),
    ] {
        let reply = world.get(&format!("/groups?$filter={bad}")).await;
        assert_eq!(reply.refusal(), (400, "Request_UnsupportedQuery".into()), "{bad:.40}");
        assert!(reply.text.len() < 1000, "a message does not repeat all of it");
    }
    let ids = |n: usize| json!({"ids": vec!["x"; n], "groupIds": vec!["x"; n]});
    assert_eq!(world.post("/directoryObjects/getByIds", &ids(1001)).await.status, 400);
    let check = format!("/groups/{group}/checkMemberGroups");
    for (target, body) in [
        ("/directoryObjects/getByIds", json!({})),
        ("/directoryObjects/getByIds", json!({"ids": "x"})),
        ("/directoryObjects/getByIds", json!({"ids": [1]})),
        (check.as_str(), json!({"groupIds": {}})),
        (check.as_str(), ids(21)),
        (check.as_str(), ids(0)),
    ] {
        let reply = world.post(target, &body).await;
        assert_eq!(reply.refusal(), (400, "Request_BadRequest".into()), "{target} {body:.60}");
    }
    for version in ["/v2.0/users", "/beta/users", "/users", "/", "/v1.0x/users"] {
        let reply = world.raw("nobody", "GET", version, "").await;
        assert_eq!(reply.refusal(), (400, "BadRequest".into()), "{version}");
    }
}

#[tokio::test]
async fn other_paths_and_methods_are_answered_in_graphs_words() {
    let world = World::new().await;
    assert_eq!(world.get("/me").await.refusal(), (400, "BadRequest".into()));
    assert!(
        world.get("/me").await.text.contains("/me request is only valid with delegated authentication flow.")
    );
    assert_eq!(world.get("/nowhere").await.refusal(), (400, "BadRequest".into()));
    let reply = world.send("admin", "PUT", "/groups", "{}").await;
    assert_eq!((reply.status, reply.headers["allow"].to_str().unwrap()), (405, "GET, POST"));
    assert_eq!(world.get("/groups/x").await.refusal(), (404, "Request_ResourceNotFound".into()));
    let busy = world.send("unconfirmed", "GET", "/groups", "").await;
    assert_eq!((busy.status, busy.headers["retry-after"].to_str().unwrap()), (503, "1"));
    let reply = world.get("/groups/x%0Ay%1B[31m").await;
    let message = reply.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(!message.contains('\n') && !message.contains('\u{1b}'), "h06: {message:?}");
    assert_eq!(reply.headers["client-request-id"], "mine");
    assert_eq!(reply.headers["request-id"].to_str().unwrap().len(), 36);
}

/// On PostgreSQL each of these was a database error, which says "try again".
#[tokio::test]
async fn d07_a_nul_is_refused_wherever_it_stands() {
    let world = World::new().await;
    for target in [
        "/servicePrincipals?$filter=displayName eq '%00'",
        "/groups?$filter=startswith(displayName,'%00')",
        "/applications?$filter=identifierUris/any(s:s eq '%00')",
        "/users/%00",
        "/users/a%00@b",
        "/users('%00')",
    ] {
        let reply = world.get(target).await;
        assert_eq!(reply.refusal(), (400, "Request_BadRequest".into()), "{target}");
    }
    let within = json!({"requests": [{"id": "1", "method": "GET", "url": "/users/a%00"}]});
    let answered = world.post("/$batch", &within).await.ok();
    assert_eq!(answered["responses"][0]["status"], 400);
    let body = r#"{"displayName":"a","description":"\u0000","mailNickname":"a","mailEnabled":false,"securityEnabled":true}"#;
    let reply = world.send("admin", "POST", "/groups", body).await;
    assert_eq!(reply.refusal(), (400, "Request_BadRequest".into()), "{}", reply.text);
}

/// One application whose `tags` were numbers would end the list for every client that has types.
#[tokio::test]
async fn a_kept_member_of_the_wrong_type_is_refused_by_its_name() {
    let world = World::new().await;
    for (name, value) in [
        ("tags", json!([7])),
        ("web", json!("x")),
        ("web.redirectUris", json!("x")),
        ("appRoles", json!(["x"])),
        ("requiredResourceAccess", json!({})),
        ("isFallbackPublicClient", json!("yes")),
        ("notes", json!(7)),
    ] {
        let nested = name.rsplit('.').fold(value, |inner, member| json!({ member: inner }));
        let mut body = json!({"displayName": "a"});
        body.as_object_mut().unwrap().extend(nested.as_object().unwrap().clone());
        let reply = world.post("/applications", &body).await;
        assert_eq!(reply.refusal(), (400, "Request_BadRequest".into()), "{name}");
        assert!(reply.text.contains(&format!("'{name}'")), "{}", reply.text);
    }
    let user = json!({"displayName": "a", "userPrincipalName": "a@b.example", "mailNickname": "a", "accountEnabled": true,
        "passwordProfile": {"password": "not kept: 1"}, "jobTitle": ["x"]});
    assert!(world.post("/users", &user).await.text.contains("'jobTitle'"));
    let kept = json!({"displayName": "a", "tags": null, "web": {"redirectUris": ["https://a.example"], "other": 7}, "x": [1]});
    assert_eq!(
        world.post("/applications", &kept).await.ok()["x"],
        json!([1]),
        "what Graph does not name is kept"
    );
    let marked = world.send("admin", "POST", "/applications", "\u{feff}{\"displayName\":\"b\"}").await;
    assert_eq!(marked.status, 201, "a byte order mark is passed over: {}", marked.text);
}

/// Of many who change one object at once, each by another member, nobody's change is lost.
#[tokio::test]
async fn d08_changes_at_once_are_all_kept() {
    let world = World::new().await;
    let app = world.post("/applications", &json!({"displayName": "a"})).await.ok();
    let acting = world.post("/servicePrincipals", &json!({"appId": app["appId"]})).await.ok();
    let user = json!({"displayName": "u", "userPrincipalName": "u@b.example", "mailNickname": "u", "accountEnabled": true,
        "passwordProfile": {"password": "not kept: 1"}});
    let user = world.post("/users", &user).await.ok();
    for (of, object) in [("applications", &app), ("servicePrincipals", &acting), ("users", &user)] {
        let target = format!("/{of}/{}", object["id"].as_str().unwrap());
        let changes = (0..8).map(|n| {
            let (world, target) = (&world, &target);
            async move {
                let body = json!({ format!("member{n}"): n }).to_string();
                world.send("admin", "PATCH", target, &body).await.status
            }
        });
        assert_eq!(futures_util::future::join_all(changes).await, [204; 8], "{of}");
        let now = world.get(&target).await.ok();
        for n in 0..8 {
            assert_eq!(now[format!("member{n}")], json!(n), "{of}: {now}");
        }
    }
}
