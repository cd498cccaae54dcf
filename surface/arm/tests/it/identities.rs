//! User-assigned identities: made, attached, trusted, removed.

use serde_json::{Value, json};

use crate::world::{CONTRIBUTOR, S, World};

const OPERATOR: &str = "f1a07417-d97a-45cb-824c-7a7467783830";

fn identity(name: &str) -> String {
    format!("{S}/resourceGroups/Lab/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}")
}

fn machine(name: &str) -> String {
    format!("{S}/resourceGroups/Lab/providers/Microsoft.HybridCompute/machines/{name}")
}

async fn made(world: &World, name: &str) -> Value {
    let reply = world.put("owner", &identity(name), r#"{"location":"West Europe","tags":{"a":"b"}}"#).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    assert_eq!(reply.headers["location"].to_str().unwrap(), identity(name), "a relative id");
    reply.json()
}

#[tokio::test]
async fn identities_come_with_a_principal_that_goes_with_them() {
    let world = World::with_group().await;
    let first = made(&world, "app1").await;
    assert_eq!(
        (&first["location"], &first["type"]),
        (&json!("westeurope"), &json!("Microsoft.ManagedIdentity/userAssignedIdentities"))
    );
    let ids = |v: &Value| (v["properties"]["principalId"].clone(), v["properties"]["clientId"].clone());
    let again = world.put("owner", &identity("APP1"), &first.to_string()).await;
    assert_eq!((again.status, ids(&again.json())), (200, ids(&first)), "its ids never change");
    let patched = world.send("owner", "PATCH", &identity("app1"), r#"{"tags":{"c":"d"}}"#).await.ok();
    assert_eq!((&patched["tags"], ids(&patched)), (&json!({"c": "d"}), ids(&first)));
    let principal = first["properties"]["principalId"].as_str().unwrap();
    let role = json!({"properties": {"roleDefinitionId": crate::world::READER, "principalId": principal,
        "principalType": "ServicePrincipal"}});
    let assignment =
        format!("{S}/providers/Microsoft.Authorization/roleAssignments/00000000-0000-0000-0000-0000000000a1");
    assert_eq!(world.put("owner", &assignment, &role.to_string()).await.status, 201);
    let token = format!("oid:{principal}");
    assert_eq!(world.get(&token, &format!("{S}/tagNames")).await.status, 200);
    let listed =
        world.get("reader", &format!("{S}/providers/Microsoft.ManagedIdentity/userAssignedIdentities")).await;
    assert_eq!(listed.ok()["value"][0]["name"], json!("app1"));
    assert_eq!(world.send("owner", "DELETE", &identity("app1"), "").await.status, 200);
    assert_eq!(world.send("owner", "DELETE", &identity("app1"), "").await.status, 204);
    assert_eq!(world.get(&token, &format!("{S}/tagNames")).await.status, 403, "its roles went with it");
    let second = made(&world, "app1").await;
    assert_ne!(ids(&second), ids(&first), "d05: made again, it is another");
    for bad in ["ab", "-ab", "a b", "a.b", &"n".repeat(129)] {
        let reply = world.put("owner", &identity(bad), r#"{"location":"local"}"#).await;
        assert_eq!(reply.refusal(), (400, "InvalidParameter".into()), "{bad}");
    }
}

#[tokio::test]
async fn only_who_may_assign_an_identity_attaches_it() {
    let world = World::with_group().await;
    let one = made(&world, "one").await;
    made(&world, "two").await;
    world.meet("connector").await;
    world.grant("connector", CONTRIBUTOR, &machine("m1"), None).await;
    let both = json!({"location": "local", "identity": {"type": "SystemAssigned, UserAssigned",
        "userAssignedIdentities": {identity("one"): {}}}});
    let refused = world.put("connector", &machine("m1"), &both.to_string()).await;
    assert_eq!(refused.refusal(), (403, "LinkedAuthorizationFailed".into()));
    assert_eq!(world.get("owner", &machine("m1")).await.status, 404, "and nothing was made");
    let with = world.put("owner", &machine("m1"), &both.to_string()).await.ok();
    assert_eq!(with["identity"]["type"], json!("SystemAssigned, UserAssigned"));
    let shown = &with["identity"]["userAssignedIdentities"][identity("one")];
    assert_eq!(shown["clientId"], one["properties"]["clientId"]);
    assert_eq!(shown["principalId"], one["properties"]["principalId"]);
    // What is attached already may be sent back by whoever may write the machine.
    let back = world.put("connector", &machine("m1"), &with.to_string()).await.ok();
    assert_eq!(back["identity"], with["identity"]);
    let more = json!({"identity": {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {identity("two"): {}}}});
    assert_eq!(world.send("connector", "PATCH", &machine("m1"), &more.to_string()).await.status, 403);
    world.meet("operator").await;
    world.grant("operator", OPERATOR, &identity("two"), None).await;
    let machine_only = world.send("operator", "PATCH", &machine("m1"), &more.to_string()).await;
    assert_eq!(machine_only.refusal(), (403, "AuthorizationFailed".into()));
    let two = world.send("owner", "PATCH", &machine("m1"), &more.to_string()).await.ok();
    assert_eq!(two["identity"]["userAssignedIdentities"].as_object().unwrap().len(), 2);
    let less = json!({"identity": {"userAssignedIdentities": {identity("one").to_uppercase(): null}}});
    let one_left = world.send("owner", "PATCH", &machine("m1"), &less.to_string()).await.ok();
    assert_eq!(one_left["identity"]["userAssignedIdentities"].as_object().unwrap().len(), 1);
    assert_eq!(one_left["identity"]["principalId"], with["identity"]["principalId"], "its own stays");
    let none = json!({"identity": {"type": "SystemAssigned"}});
    let none = world.send("owner", "PATCH", &machine("m1"), &none.to_string()).await.ok();
    assert!(none["identity"].get("userAssignedIdentities").is_none());
    let missing =
        json!({"identity": {"type": "UserAssigned", "userAssignedIdentities": {identity("none"): {}}}});
    assert_eq!(
        world.send("owner", "PATCH", &machine("m1"), &missing.to_string()).await.refusal(),
        (404, "ResourceNotFound".into())
    );
    let odd = json!({"identity": {"type": "UserAssigned", "userAssignedIdentities": {"/x": {}}}});
    assert_eq!(
        world.send("owner", "PATCH", &machine("m1"), &odd.to_string()).await.refusal(),
        (400, "InvalidParameter".into())
    );
    let own = world
        .get("owner", &format!("{}/providers/Microsoft.ManagedIdentity/identities/default", machine("m1")))
        .await
        .ok();
    assert_eq!(own["properties"]["principalId"], with["identity"]["principalId"]);
}

#[tokio::test]
async fn b14_b15_b16_federated_credentials_are_exact() {
    let world = World::with_group().await;
    made(&world, "app1").await;
    let of = |name: &str| format!("{}/federatedIdentityCredentials/{name}", identity("app1"));
    let body = |issuer: &str, subject: &str| {
        json!({"properties": {"issuer": issuer, "subject": subject, "audiences": ["api://AzureADTokenExchange"]}}).to_string()
    };
    for (issuer, subject) in [
        ("https://Issuer.example", "s"),
        ("https://issuer.example:443/", "s"),
        ("https://xn--80ak6aa92e.example", "s"),
        ("https://issuer.example", "repo:*"),
        ("https://issuer.example", ""),
    ] {
        let reply = world.put("owner", &of("lab"), &body(issuer, subject)).await;
        assert_eq!(reply.refusal(), (400, "InvalidParameter".into()), "{issuer} {subject}");
    }
    // Patterns that might not pin the owner of a shared issuer are not understood at all.
    let pattern = json!({"properties": {"issuer": "https://token.actions.githubusercontent.com", "audiences": ["x"],
        "claimsMatchingExpression": {"value": "claims['sub'] matches 'repo:*'", "languageVersion": 1}}});
    assert_eq!(
        world.put("owner", &of("lab"), &pattern.to_string()).await.refusal(),
        (400, "InvalidRequestContent".into())
    );
    let good = body("https://issuer.example", "s");
    let first = world.put("owner", &of("lab"), &good).await;
    assert_eq!(first.status, 201, "{}", first.text);
    let first = first.json();
    assert_eq!(first["id"], json!(of("lab")));
    assert_eq!(first["properties"]["audiences"], json!(["api://AzureADTokenExchange"]));
    assert_eq!(world.put("owner", &of("LAB"), &body("https://issuer.example", "t")).await.status, 200);
    assert_eq!(
        world.put("owner", &of("twin"), &body("https://issuer.example", "t")).await.refusal(),
        (409, "Conflict".into())
    );
    for n in 1..20 {
        assert_eq!(
            world
                .put("owner", &of(&format!("more{n}")), &body("https://issuer.example", &format!("s{n}")))
                .await
                .status,
            201
        );
    }
    let many = world.put("owner", &of("more20"), &body("https://issuer.example", "s20")).await;
    assert_eq!(many.refusal(), (400, "FederatedIdentityCredentialsLimitExceeded".into()));
    let list = format!("{}/federatedIdentityCredentials", identity("app1"));
    assert_eq!(world.get("reader", &list).await.ok()["value"].as_array().unwrap().len(), 20);
    assert_eq!(world.send("owner", "DELETE", &of("lab"), "").await.status, 200);
    assert_eq!(world.send("owner", "DELETE", &of("lab"), "").await.status, 204);
    assert_eq!(world.get("owner", &of("lab")).await.status, 404);
    assert_eq!(world.put("reader", &of("lab"), &good).await.status, 403);
}
