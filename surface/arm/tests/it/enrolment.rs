//! Join tokens: one machine, one group, once.

use cs_jose::MachineKey;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::world::{CONTRIBUTOR, ONBOARDING, READER, Reply, S, World};

const LAB: &str = "/subscriptions/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee/resourceGroups/lab";
const JOIN: &str = "/providers/Countersign.Enrolment/join";

fn tokens() -> String {
    format!("{LAB}/providers/Countersign.Enrolment/joinTokens")
}

async fn make(world: &World, who: &str, body: &Value) -> Reply {
    world.send(who, "POST", &tokens(), &body.to_string()).await
}

async fn token(world: &World, who: &str) -> String {
    let made = make(world, who, &json!({})).await.ok();
    made["properties"]["joinToken"].as_str().unwrap().to_owned()
}

fn body(token: &str, name: &str, key: &MachineKey) -> Value {
    let jwk = serde_json::to_string(&key.public()).unwrap();
    json!({"joinToken": token, "name": name, "location": "local", "tags": {"own": "tag", "site": "mine"},
        "properties": {"clientPublicKey": jwk, "osType": "linux", "status": "Error"}})
}

async fn join(world: &World, body: &Value) -> Reply {
    world.send("", "POST", JOIN, &body.to_string()).await
}

fn key() -> MachineKey {
    MachineKey::generate().unwrap()
}

#[tokio::test]
async fn a_join_token_connects_one_machine_with_its_tags() {
    let world = World::with_group().await;
    let made = make(&world, "owner", &json!({"tags": {"site": "plant-1"}})).await.ok();
    let (text, id) = (made["properties"]["joinToken"].as_str().unwrap(), made["id"].as_str().unwrap());
    assert!(text.starts_with("csj1_") && !id.contains(text));
    let listed = world.get("reader", &tokens()).await;
    assert!(!listed.text.contains("csj1_"), "a listing shows no token: {}", listed.text);
    assert_eq!(listed.ok()["value"][0]["properties"]["state"], "Open");

    let machine = join(&world, &body(text, "m1", &key())).await.ok();
    assert_eq!(
        machine["id"],
        format!("{S}/resourceGroups/Lab/providers/Microsoft.HybridCompute/machines/m1")
    );
    assert_eq!(machine["tags"], json!({"own": "tag", "site": "plant-1"}), "the token's tags win");
    assert_eq!(machine["properties"]["status"], "Connected", "what it says of itself is not believed");
    let principal = format!("oid:{}", machine["identity"]["principalId"].as_str().unwrap());
    assert_eq!(world.get(&principal, machine["id"].as_str().unwrap()).await.status, 200);
    let listed = world.get("reader", &tokens()).await.ok();
    assert_eq!(listed["value"][0]["properties"]["machineId"], machine["id"]);

    let log = world.audited().await;
    let of = |action: &str| log.iter().filter(|r| r.action.ends_with(action)).collect::<Vec<_>>();
    assert_eq!(of("joinTokens/write").len(), 1);
    let [joined] = of("machines/write")[..] else { panic!("{log:?}") };
    assert!(joined.because.contains(made["name"].as_str().unwrap()), "{}", joined.because);
    assert!(joined.scope.ends_with("/machines/m1"));
    assert!(log.iter().all(|r| !format!("{r:?}").contains(text)), "no token in the log");
}

#[tokio::test]
async fn d07_a_join_is_read_as_every_other_body_is() {
    let world = World::with_group().await;
    let text = token(&world, "owner").await;
    let mut odd = body(&text, "m1", &key());
    odd["tags"] = json!({"a": "\0"});
    assert_eq!(join(&world, &odd).await.refusal(), (400, "InvalidRequestContent".into()));
    let marked = format!("\u{feff}{}", body(&text, "m1", &key()));
    world.send("", "POST", JOIN, &marked).await.ok();
}

#[tokio::test]
async fn c01_of_many_that_race_with_one_join_token_one_succeeds() {
    let world = World::with_group().await;
    let text = token(&world, "owner").await;
    let bodies: Vec<Value> = (0..8).map(|n| body(&text, &format!("m{n}"), &key())).collect();
    let replies = join_all(bodies.iter().map(|b| join(&world, b))).await;
    assert_eq!(replies.iter().filter(|r| r.status == 200).count(), 1);
    for lost in replies.iter().filter(|r| r.status != 200) {
        assert_eq!(lost.refusal(), (401, "JoinTokenUsed".into()));
    }
    let machines =
        world.get("owner", &format!("{LAB}/providers/Microsoft.HybridCompute/machines")).await.ok();
    assert_eq!(machines["value"].as_array().unwrap().len(), 1, "nothing is left of the others");
}

#[tokio::test]
async fn c01_a_used_join_token_is_heard_again_from_its_own_machine_alone() {
    let world = World::with_group().await;
    let (text, mine) = (token(&world, "owner").await, key());
    let first = join(&world, &body(&text, "m1", &mine)).await.ok();
    let again = join(&world, &body(&text, "m1", &mine)).await.ok();
    assert_eq!(again["identity"], first["identity"], "its answer may have been lost");
    assert_eq!(join(&world, &body(&text, "m1", &key())).await.code(), "JoinTokenUsed");
    assert_eq!(join(&world, &body(&text, "m2", &key())).await.code(), "JoinTokenUsed");
    let id = first["id"].as_str().unwrap();
    assert_eq!(world.send("owner", "DELETE", id, "").await.status, 204);
    assert_eq!(join(&world, &body(&text, "m1", &mine)).await.code(), "JoinTokenUsed", "it brings none back");
}

#[tokio::test]
async fn c02_a_join_token_of_one_group_makes_no_machine_in_another() {
    let world = World::with_group().await;
    world.put("owner", &format!("{S}/resourceGroups/other"), r#"{"location":"local"}"#).await.ok();
    let text = token(&world, "owner").await;
    let subscription = S.rsplit('/').next().unwrap();
    for (name, value) in [
        ("resourceGroup", json!("other")),
        ("resourceGroup", json!("")),
        ("resourceGroup", json!(["lab"])),
        ("subscriptionId", json!("aaaaaaaa-bbbb-cccc-dddd-ffffffffffff")),
    ] {
        let mut sent = body(&text, "m1", &key());
        sent[name] = value;
        assert_eq!(join(&world, &sent).await.refusal(), (403, "AuthorizationFailed".into()), "{sent}");
    }
    for group in ["lab", "other"] {
        let all = format!("{S}/resourceGroups/{group}/providers/Microsoft.HybridCompute/machines");
        assert_eq!(world.get("owner", &all).await.ok()["value"], json!([]), "{group}");
    }
    // Before it is told.
    let log = world.recorded().await;
    assert_eq!(log.iter().filter(|r| r.because.contains("is not for group 'other'")).count(), 1);
    let mut sent = body(&text, "m1", &key());
    (sent["resourceGroup"], sent["subscriptionId"]) = (json!("LAB"), json!(subscription));
    join(&world, &sent).await.ok();
}

#[tokio::test]
async fn c01_forged_late_and_revoked_join_tokens_are_refused() {
    let world = World::with_group().await;
    let made = make(&world, "owner", &json!({"properties": {"expiresInSeconds": 60}})).await.ok();
    let text = made["properties"]["joinToken"].as_str().unwrap();
    let mut wrong = text.to_owned().into_bytes();
    let last = wrong.len() - 2;
    wrong[last] = if wrong[last] == b'A' { b'B' } else { b'A' };
    for bad in [std::str::from_utf8(&wrong).unwrap(), "csj1_", "x", "", &text[5..]] {
        let refused = join(&world, &body(bad, "m1", &key())).await;
        assert_eq!(refused.refusal(), (401, "InvalidJoinToken".into()), "{bad}");
    }
    let keyless = json!({"joinToken": text, "name": "m1", "location": "local"});
    assert_eq!(join(&world, &keyless).await.status, 400);
    world.clock.advance(60);
    world.refresh().await;
    assert_eq!(join(&world, &body(text, "m1", &key())).await.code(), "JoinTokenExpired");

    let made = make(&world, "owner", &json!({})).await.ok();
    let one = made["id"].as_str().unwrap();
    assert_eq!(world.send("reader", "DELETE", one, "").await.status, 403);
    assert_eq!(world.send("owner", "DELETE", one, "").await.status, 204);
    let text = made["properties"]["joinToken"].as_str().unwrap();
    assert_eq!(join(&world, &body(text, "m1", &key())).await.code(), "InvalidJoinToken");
}

#[tokio::test]
async fn a_join_token_is_worth_what_its_maker_may_do() {
    let world = World::with_group().await;
    for (who, role) in [("contributor", CONTRIBUTOR), ("watcher", READER), ("onboarder", ONBOARDING)] {
        world.meet(who).await;
        world.grant(who, role, LAB, None).await;
    }
    assert_eq!(make(&world, "watcher", &json!({})).await.status, 403);
    assert_eq!(make(&world, "onboarder", &json!({})).await.status, 403, "its role names no join tokens");
    for bad in [
        json!({"properties": {"expiresInSeconds": 59}}),
        json!({"properties": {"expiresInSeconds": 2_592_001}}),
        json!({"properties": {"expiresInSeconds": "1h"}}),
        json!({"tags": {"a": 1}}),
    ] {
        assert_eq!(make(&world, "contributor", &bad).await.status, 400, "{bad}");
    }
    let text = token(&world, "contributor").await;
    let name = world.store_assignment_of("contributor");
    let assignment = format!("{LAB}/providers/Microsoft.Authorization/roleAssignments/{name}");
    world.send("owner", "DELETE", &assignment, "").await;
    let refused = join(&world, &body(&text, "m1", &key())).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    let machines =
        world.get("owner", &format!("{LAB}/providers/Microsoft.HybridCompute/machines")).await.ok();
    assert_eq!(machines["value"], json!([]));
}

#[tokio::test]
async fn a_name_that_is_taken_spends_no_join_token() {
    let world = World::with_group().await;
    let text = token(&world, "owner").await;
    let id = format!("{LAB}/providers/Microsoft.HybridCompute/machines/m1");
    world.put("owner", &id, r#"{"location":"local"}"#).await.ok();
    assert_eq!(join(&world, &body(&text, "M1", &key())).await.code(), "MachineAlreadyConnected");
    for bad in ["", "a/b", "é"] {
        assert_eq!(join(&world, &body(&text, bad, &key())).await.status, 400, "{bad}");
    }
    join(&world, &body(&text, "m2", &key())).await.ok();
}

#[tokio::test]
async fn a_locked_group_takes_no_machine_by_a_join_token_either() {
    let world = World::with_group().await;
    let text = token(&world, "owner").await;
    let lock = format!("{LAB}/providers/Microsoft.Authorization/locks/l");
    world.put("owner", &lock, r#"{"properties":{"level":"ReadOnly"}}"#).await.ok();
    assert_eq!(join(&world, &body(&text, "m1", &key())).await.code(), "ScopeLocked");
    assert_eq!(make(&world, "owner", &json!({})).await.code(), "ScopeLocked");
}

#[tokio::test]
async fn only_a_quarantined_machine_is_released() {
    let world = World::with_group().await;
    let id = format!("{LAB}/providers/Microsoft.HybridCompute/machines/m1");
    world.put("owner", &id, r#"{"location":"local"}"#).await.ok();
    let release = async |who: &str| world.send(who, "POST", &format!("{id}/release"), "").await;
    assert_eq!(release("owner").await.refusal(), (409, "MachineNotQuarantined".into()));
    assert_eq!(release("reader").await.status, 403);
}
