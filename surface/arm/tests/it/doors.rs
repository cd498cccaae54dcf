//! Every door of the table, knocked on by the same callers.

use cs_arm::Entry;
use cs_serve::Needs;

use crate::world::{OWNER, S, World};

/// A template with something plausible in every place.
fn filled(path: &str) -> String {
    path.replace("/{scope*}", S)
        .replace("{sub}", S.rsplit('/').next().unwrap())
        .replace("{group}", "lab")
        .replace("{assignment}", "00000000-0000-0000-0000-000000000001")
        .replace("{namespace}", "Microsoft.KeyVault")
        .replace("{change}", "add")
        .replace("{name}", "thing1")
        .replace(['{', '}'], "")
}

#[tokio::test]
async fn h10_every_door_asks_for_a_token_and_for_its_action() {
    let world = World::new().await;
    let mut doors = 0;
    for Entry { method, path, needs, .. } in cs_arm::entries() {
        doors += 1;
        let target = filled(path);
        let anonymous = world.send("", method, &target, "{}").await;
        assert_eq!(anonymous.status, 401, "anonymous {method} {path}");
        if method == "HEAD" {
            assert_eq!(world.send("nobody", method, &target, "").await.status, 403, "{path}");
            continue;
        }
        assert_eq!(anonymous.code(), "AuthenticationFailed", "{method} {path}");
        if let Needs::Action(action) = needs {
            let refused = world.send("nobody", method, &target, "{}").await;
            assert_eq!(refused.refusal(), (403, "AuthorizationFailed".into()), "{method} {path}");
            assert!(refused.text.contains(&format!("perform action '{action}'")), "{}", refused.text);
        } else if needs == Needs::Credentials {
            // A bearer token is none of them, not even a good one.
            assert_eq!(world.send("owner", method, &target, "{}").await.status, 401, "{method} {path}");
        } else {
            assert!(matches!(needs, Needs::Token(why) if !why.is_empty()), "{method} {path}");
        }
    }
    assert!(doors > 50, "{doors}");
}

#[tokio::test]
async fn b25_a_token_of_another_tenant_opens_no_door() {
    let world = World::new().await;
    for Entry { method, path, .. } in cs_arm::entries().filter(|d| d.method != "HEAD") {
        let target = filled(path);
        let reply = world.send("stranger", method, &target, "{}").await;
        if target.starts_with("/subscriptions/") {
            assert_eq!(reply.refusal(), (401, "InvalidAuthenticationTokenTenant".into()), "{method} {path}");
        } else {
            assert!(!reply.text.contains("aaaaaaaa-bbbb"), "{method} {path}: {}", reply.text);
        }
    }
}

#[tokio::test]
async fn refusals_and_reads_are_audited() {
    let world = World::with_group().await;
    world.get("nobody", &format!("{S}/tagNames")).await;
    world.get("reader", &format!("{S}/tagNames")).await;
    let log = world.audited().await;
    let of = |outcome: &str| {
        log.iter().filter(|r| r.action.ends_with("tagNames/read") && r.outcome.as_str() == outcome).count()
    };
    assert_eq!((of("denied"), of("done")), (1, 1));
    assert!(log.iter().any(|r| r.action.ends_with("resourceGroups/write") && r.because.contains("Owner")));
}

#[tokio::test]
async fn h10_the_right_role_opens_every_door() {
    let world = World::with_group().await;
    world.meet("top").await;
    world.grant("top", OWNER, "/", None).await;
    // What is taken away is knocked on last.
    let order = ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"];
    let mut doors: Vec<_> = cs_arm::entries().collect();
    doors.sort_by_key(|door| order.iter().position(|m| *m == door.method));
    for Entry { method, path, needs, .. } in doors {
        if needs == Needs::Credentials {
            continue;
        }
        let reply = world.send("top", method, &filled(path), "{}").await;
        assert!(!matches!(reply.status, 401 | 403), "{method} {path}: {} {}", reply.status, reply.text);
        assert!(reply.status < 500, "{method} {path}: {}", reply.text);
    }
}
