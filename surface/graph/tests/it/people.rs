//! Users, groups, and who is in what.

use serde_json::{Value, json};

use crate::world::{World, object};

async fn user(world: &World, name: &str) -> Value {
    let body = json!({"displayName": name, "userPrincipalName": format!("{name}@s.example"),
        "mailNickname": name, "accountEnabled": true, "passwordProfile": {"password": "hunter22"}});
    world.post("/users", &body).await.ok()
}

#[tokio::test]
async fn users_are_found_by_their_name_and_no_password_is_kept() {
    let world = World::new().await;
    let ada = user(&world, "Ada").await;
    assert_eq!(ada["userPrincipalName"], json!("Ada@s.example"));
    assert!(!ada.to_string().contains("hunter22"));
    for target in ["/users/ADA@s.example", &format!("/users/{}", ada["id"].as_str().unwrap())] {
        assert_eq!(world.get(target).await.ok()["id"], ada["id"], "{target}");
    }
    assert_eq!(world.get("/users?$filter=userPrincipalName eq 'ada@S.example'").await.names(), ["Ada"]);
    assert_eq!(world.get("/users?$filter=startswith(userPrincipalName,'ada')").await.names(), ["Ada"]);
    assert!(world.get("/users?$filter=userPrincipalName eq 'eve@s.example'").await.names().is_empty());
    let taken =
        world.post("/users", &json!({"displayName": "x", "userPrincipalName": "ada@s.example"})).await;
    assert_eq!(taken.refusal(), (400, "Request_BadRequest".into()));
    assert_eq!(world.send("admin", "PATCH", "/users/ada@s.example", r#"{"jobTitle":"x"}"#).await.status, 204);
    assert_eq!(world.get("/users/ada@s.example").await.ok()["jobTitle"], json!("x"));
    assert_eq!(world.send("admin", "DELETE", "/users/ada@s.example", "").await.status, 204);
    assert_eq!(world.get("/users/ada@s.example").await.refusal(), (404, "Request_ResourceNotFound".into()));
    assert_ne!(user(&world, "Ada").await["id"], ada["id"], "made again, it is somebody else");
}

#[tokio::test]
async fn groups_nest_and_cycles_end() {
    let world = World::new().await;
    let (outer, inner, third) =
        (world.group("outer").await, world.group("inner").await, world.group("third").await);
    let machine = object("m1").to_string();
    for (group, who) in [(&outer, &inner), (&inner, &third), (&third, &outer), (&inner, &machine)] {
        assert_eq!(world.join(group, who).await.status, 204);
    }
    let again = world.join(&inner, &machine).await;
    assert_eq!(again.refusal(), (400, "Request_BadRequest".into()));
    assert!(again.text.contains("One or more added object references already exist"));
    assert_eq!(world.join(&outer, &outer).await.status, 400, "a group is not in itself");
    assert_eq!(world.join(&outer, "00000000-0000-0000-0000-0000000000ff").await.status, 404);
    assert_eq!(world.get(&format!("/groups/{outer}/members")).await.names(), ["inner"]);
    let mut all = world.get(&format!("/groups/{outer}/transitiveMembers")).await.names();
    all.sort();
    assert_eq!(all, ["inner", "m1", "third"]);
    let check = json!({"groupIds": [outer, "00000000-0000-0000-0000-0000000000ff"]});
    let found = world.post(&format!("/directoryObjects/{machine}/checkMemberGroups"), &check).await.ok();
    assert_eq!(found["value"], json!([outer]));
    let groups = world.post(&format!("/directoryObjects/{machine}/getMemberGroups"), &json!({})).await.ok();
    assert_eq!(groups["value"].as_array().unwrap().len(), 3);
    let out = format!("/groups/{inner}/members/{machine}/$ref");
    assert_eq!(world.send("admin", "DELETE", &out, "").await.status, 204);
    assert_eq!(world.send("admin", "DELETE", &out, "").await.status, 404);
    assert_eq!(world.send("admin", "DELETE", &format!("/groups/{inner}"), "").await.status, 204);
    assert!(world.get(&format!("/groups/{outer}/members")).await.names().is_empty());
}

#[tokio::test]
async fn lookups_of_az_find_what_they_name() {
    let world = World::new().await;
    let group = world.group("lab").await;
    let both = "/groups?$filter=displayName eq 'LAB' and mailNickname eq 'lab'";
    assert_eq!(world.get(both).await.names(), ["lab"]);
    assert!(world.get(&both.replace("'lab'", "'x'")).await.names().is_empty());
    let ada = user(&world, "Ada").await;
    let ids = json!({"ids": [group, ada["id"], object("m1").to_string(), "nonsense",
        "00000000-0000-0000-0000-0000000000ff"], "types": ["user", "group", "servicePrincipal", "directoryObjectPartnerReference"]});
    let found = world.post("/directoryObjects/getByIds", &ids).await.ok();
    let kinds: Vec<&str> =
        found["value"].as_array().unwrap().iter().map(|o| o["@odata.type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        ["#microsoft.graph.group", "#microsoft.graph.user", "#microsoft.graph.servicePrincipal"]
    );
    let machine = &found["value"][2];
    assert_eq!(machine["servicePrincipalType"], json!("ManagedIdentity"));
    assert_eq!(machine["alternativeNames"], json!(["isExplicit=False", crate::world::MACHINE]));
    let many = json!({"ids": vec!["x"; 1001]});
    assert_eq!(world.post("/directoryObjects/getByIds", &many).await.status, 400);
}

#[tokio::test]
async fn lists_have_pages_that_are_followed() {
    let world = World::new().await;
    for n in 0..5 {
        world.group(&format!("g{n}")).await;
    }
    let mut target = "/v1.0/groups?$top=2&$filter=startswith(displayName,%27G%27)".to_owned();
    let (mut names, mut pages) = (Vec::new(), 0);
    loop {
        let page = world.raw("nobody", "GET", &target, "").await.ok();
        pages += 1;
        names.extend(
            page["value"].as_array().unwrap().iter().map(|g| g["displayName"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["@odata.nextLink"].as_str() else { break };
        target = next.strip_prefix(crate::world::GRAPH).unwrap().to_owned();
    }
    names.sort();
    assert_eq!((names, pages), (["g0", "g1", "g2", "g3", "g4"].map(str::to_owned).to_vec(), 3));
}
