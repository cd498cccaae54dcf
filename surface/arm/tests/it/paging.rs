//! Lists that come in pages: every row once, in whatever pages it is asked for.

use serde_json::json;

use crate::world::{READER, S, World, object};

const HOST: &str = "https://management.s.example:8443";

/// The ids of a list, page by page; how many pages there were.
async fn pages(world: &World, list: &str) -> (Vec<String>, usize) {
    let (mut ids, mut pages) = (Vec::new(), 0);
    let mut reply = world.get("owner", list).await;
    loop {
        let page = reply.ok();
        pages += 1;
        let rows = page["value"].as_array().unwrap();
        ids.extend(rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()));
        let Some(link) = page["nextLink"].as_str() else { return (ids, pages) };
        assert!(!rows.is_empty(), "{list}");
        reply = world.raw("owner", "GET", link.strip_prefix(HOST).unwrap(), "").await;
    }
}

async fn made() -> World {
    let world = World::with_group().await;
    let group = format!("{S}/resourceGroups/lab");
    let role = format!("{S}/providers/Microsoft.Authorization/roleDefinitions/{READER}");
    for (n, who) in ["first", "second", "third"].iter().enumerate() {
        world.meet(who).await;
        for (m, scope) in [S, &group].iter().enumerate() {
            let name = format!("00000000-0000-0000-0000-0000000{m}00f{n}");
            let body =
                json!({"properties": {"roleDefinitionId": role, "principalId": object(who).to_string()}});
            let path = format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}");
            world.put("owner", &path, &body.to_string()).await.ok();
            let deny = json!({"properties": {
                "denyAssignmentName": format!("d{m}{n}"), "permissions": [{"actions": ["x/write"]}],
                "principals": [{"id": object(who).to_string()}]
            }});
            let path = format!("{scope}/providers/Microsoft.Authorization/denyAssignments/{name}");
            world.put("owner", &path, &deny.to_string()).await.ok();
        }
        let path = format!("{group}/providers/Microsoft.Authorization/locks/l{n}");
        world.put("owner", &path, r#"{"properties":{"level":"CanNotDelete"}}"#).await.ok();
        world.send("owner", "PUT", &format!("{S}/tagNames/Tag{n}"), "").await.ok();
    }
    world
}

#[tokio::test]
async fn pages_of_any_size_make_the_whole() {
    let world = made().await;
    let group = format!("{S}/resourceGroups/lab/providers/Microsoft.Authorization");
    let who = object("second");
    for (list, least) in [
        (format!("{S}/providers/Microsoft.Authorization/roleAssignments"), 6),
        (format!("{group}/roleAssignments"), 6),
        (format!("{group}/roleAssignments?$filter=atScope()"), 6),
        (format!("{group}/roleAssignments?$filter=principalId eq '{who}'"), 2),
        (format!("{S}/providers/Microsoft.Authorization/denyAssignments"), 6),
        (format!("{group}/denyAssignments"), 6),
        (format!("{S}/providers/Microsoft.Authorization/locks"), 3),
        (format!("{S}/tagNames"), 3),
        (format!("{S}/providers/Microsoft.Authorization/roleDefinitions"), 50),
    ] {
        let (whole, one) = pages(&world, &list).await;
        assert!(whole.len() >= least && one == 1, "{list}: {whole:?}");
        let sep = if list.contains('?') { '&' } else { '?' };
        for top in [2, whole.len(), 5000] {
            let (found, pages) = pages(&world, &format!("{list}{sep}$top={top}")).await;
            assert_eq!((found, pages), (whole.clone(), whole.len().div_ceil(top)), "{list} by {top}");
        }
    }
}

#[tokio::test]
async fn d07_what_is_no_page_is_refused() {
    let world = World::with_group().await;
    let list = format!("{S}/providers/Microsoft.Authorization/roleAssignments");
    for bad in ["$top=0", "$top=-1", "$top=x", "$skiptoken=%2525", "$skiptoken=!", "$skiptoken=YQ"] {
        assert_eq!(world.get("owner", &format!("{list}?{bad}")).await.status, 400, "{bad}");
    }
}

/// A place in a list is the caller's word: one outside of the list shows nothing of what lies there.
#[tokio::test]
async fn d10_a_forged_token_does_not_leave_the_scope() {
    let world = made().await;
    let other = format!("{S}/resourceGroups/aaa");
    world.put("owner", &other, r#"{"location":"local"}"#).await.ok();
    let role = format!("{S}/providers/Microsoft.Authorization/roleDefinitions/{READER}");
    let name = "00000000-0000-0000-0000-0000000000aa";
    for (kind, name, properties) in [
        (
            "roleAssignments",
            name,
            json!({"roleDefinitionId": role, "principalId": object("first").to_string()}),
        ),
        (
            "denyAssignments",
            name,
            json!({"denyAssignmentName": "d", "permissions": [{"actions": ["x/write"]}],
                "principals": [{"id": object("first").to_string()}]}),
        ),
        ("locks", "l", json!({"level": "CanNotDelete"})),
    ] {
        let at = |group: &str| format!("{group}/providers/Microsoft.Authorization/{kind}");
        let path = format!("{}/{name}", at(&other));
        world.put("owner", &path, &json!({"properties": properties}).to_string()).await.ok();
        let list = at(&format!("{S}/resourceGroups/lab"));
        let honest = world.get("owner", &list).await.ok()["value"].as_array().unwrap().len();
        for place in ["!\n", "/\nz", "/subscriptions\n", "/subscriptions/0\n", "~\n"] {
            let token = cs_jose::encode_url(place);
            let page = world.get("owner", &format!("{list}?$skiptoken={token}")).await.ok();
            let rows = page["value"].as_array().unwrap();
            assert!(
                rows.len() <= honest && !page.to_string().contains("resourceGroups/aaa"),
                "{kind} {place:?}: {page}"
            );
        }
    }
}
