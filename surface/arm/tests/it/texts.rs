//! Texts that two readers would read two ways, or that one of the databases cannot take.

use serde_json::json;

use crate::world::{S, World};

const GROUP: &str = r#"{"location":"local"}"#;

fn group() -> String {
    format!("{S}/resourceGroups/Lab")
}

/// On PostgreSQL each of these was a database error, which says "busy": no client would ever have come to an end with it.
#[tokio::test]
async fn d07_a_nul_is_refused_wherever_it_stands() {
    let world = World::with_group().await;
    let (list, vaults) = (format!("{S}/resources"), "providers/Microsoft.KeyVault/vaults");
    for target in [
        format!("{list}?$filter=name eq '%00'"),
        format!("{list}?$filter=startswith(tagName,'a%00')"),
        format!("{list}?%00=x"),
        format!("{}%00", group()),
        // The token holds three of them.
        format!("{list}?$skiptoken=AAAA"),
        format!("{S}/{vaults}?$skiptoken=AAAA"),
        format!("{}/providers/Microsoft.Authorization/roleAssignments?$skiptoken=AAoA", group()),
    ] {
        assert_eq!(
            world.get("owner", &target).await.refusal(),
            (400, "InvalidRequestUri".into()),
            "{target}"
        );
    }
    let lock = format!("{}/providers/Microsoft.Authorization/locks/l", group());
    for body in [
        r#"{"properties":{"level":"CanNotDelete","notes":"a\u0000"}}"#,
        r#"{"properties":{"level":"CanNotDelete","\u0000":1}}"#,
        r#"{"properties":{"level":"CanNotDelete","notes":"\\\u0000"}}"#,
    ] {
        assert_eq!(
            world.put("owner", &lock, body).await.refusal(),
            (400, "InvalidRequestContent".into()),
            "{body}"
        );
    }
    assert_eq!(world.get("owner", &lock).await.status, 404, "nothing was made");
    let looks_like_one = r#"{"properties":{"level":"CanNotDelete","notes":"\\u0000"}}"#;
    let made = world.put("owner", &lock, looks_like_one).await.ok();
    assert_eq!(made["properties"]["notes"], json!("\\u0000"));
}

/// Many clients and proxies take such segments away before they send; who does not would meet another resource.
#[tokio::test]
async fn d01_dots_and_broken_escapes_name_nothing() {
    let world = World::with_group().await;
    let locks = format!("{}/providers/Microsoft.Authorization/locks", group());
    let level = r#"{"properties":{"level":"CanNotDelete"}}"#;
    for name in [".", "..", "%2e", "%2E.", "a%ff", "%ed%a0%80", "a%2fb", "a%5cb", "a%2"] {
        let refused = world.put("owner", &format!("{locks}/{name}"), level).await;
        assert_eq!(refused.refusal(), (400, "InvalidRequestUri".into()), "{name}");
    }
    for target in [format!("{}/../Lab", group()), format!("{}/.", group()), format!("{S}/tagNames/..")] {
        assert_eq!(
            world.get("owner", &target).await.refusal(),
            (400, "InvalidRequestUri".into()),
            "{target}"
        );
    }
    assert_eq!(world.get("owner", &locks).await.ok()["value"], json!([]), "nothing was made");
    // Dots beside other characters are of a name.
    let dotted = format!("{S}/resourceGroups/..a.b");
    assert_eq!(world.put("owner", &dotted, GROUP).await.ok()["name"], json!("..a.b"));
}

#[tokio::test]
async fn a_byte_order_mark_is_passed_over() {
    let world = World::with_group().await;
    let group = format!("{S}/resourceGroups/Marked");
    assert_eq!(world.put("owner", &group, &format!("\u{feff}{GROUP}")).await.status, 201);
    let tags = format!("{group}/providers/Microsoft.Resources/tags/default");
    let body = "\u{feff}{\"properties\":{\"tags\":{\"a\":\"b\"}}}";
    world.put("owner", &tags, body).await.ok();
    let question = "\u{feff}{\"query\":\"Resources\"}";
    world.send("owner", "POST", "/providers/Microsoft.ResourceGraph/resources", question).await.ok();
    let refused = world.put("owner", &group, &format!(" \u{feff}{GROUP}")).await;
    assert_eq!(refused.refusal(), (400, "InvalidRequestContent".into()), "only where a mark stands");
}

/// One resource whose `sku` was a list ended `az resource list` for everybody in the subscription.
#[tokio::test]
async fn a_member_of_the_wrong_type_is_refused_by_its_name() {
    let world = World::with_group().await;
    let of = |kind: &str| format!("{}/providers/{kind}/wrong1", group());
    let (identity, machine) =
        (of("Microsoft.ManagedIdentity/userAssignedIdentities"), of("Microsoft.HybridCompute/machines"));
    let (vault, server) = (of("Microsoft.KeyVault/vaults"), of("Microsoft.DBforPostgreSQL/flexibleServers"));
    let account = of("Microsoft.Storage/storageAccounts");
    for (target, name, value) in [
        (&identity, "sku", json!([])),
        (&identity, "identity", json!("x")),
        (&identity, "kind", json!(7)),
        (&machine, "plan", json!("x")),
        (&machine, "properties.osType", json!(7)),
        (&machine, "properties.locationData.name", json!(7)),
        (&vault, "properties.networkAcls", json!("x")),
        (&vault, "properties.createMode", json!(1)),
        (&account, "properties.minimumTlsVersion", json!(7)),
        (&account, "properties.keyPolicy.keyExpirationPeriodInDays", json!("x")),
        (&account, "managedBy", json!({})),
        (&server, "sku", json!(["x"])),
    ] {
        let nested = name.rsplit('.').fold(value, |inner, member| json!({ member: inner }));
        let mut body = json!({"location": "local"});
        body.as_object_mut().unwrap().extend(nested.as_object().unwrap().clone());
        for method in ["PUT", "PATCH"] {
            if method == "PATCH" {
                // What is there is not changed by it either.
                let sound = json!({"location": "local", "properties": {"enableRbacAuthorization": true}});
                world.put("owner", target, &sound.to_string()).await.ok();
            }
            let refused = world.send("owner", method, target, &body.to_string()).await;
            assert_eq!(refused.refusal(), (400, "InvalidRequestContent".into()), "{name}");
            assert!(refused.text.contains(&format!("'{name}' must be")), "{}", refused.text);
        }
    }
    let vault_alone =
        r#"{"location":"local","unknown":[7],"properties":{"unknown":{"sku":7},"networkAcls":null}}"#;
    world.send("owner", "PATCH", &vault, vault_alone).await.ok();
}
