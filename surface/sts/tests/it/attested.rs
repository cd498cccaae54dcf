//! Who a machine is, signed for it (metadata.md 3.5): from the site's own records, for whoever holds its key.

use cs_jose::MachineKey;
use serde_json::{Value, json};

use crate::{
    federated::{attach, write_machine},
    machine::{claims, send, sign},
    signed::with,
    world::{Answer, MACHINE, MACHINE_OBJECT, T1, World},
};

async fn ask(world: &World, more: Value) -> Answer {
    let claims = with(claims(world, "attested"), more);
    send(world, "attested", &sign(&world.machine_key, &claims)).await
}

fn document(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let signed = cs_jose::decode_any(answer.json()["signature"].as_str().unwrap()).unwrap();
    serde_json::from_slice(signed.strip_prefix(b"signed:").unwrap()).unwrap()
}

#[tokio::test]
async fn c07_a_machine_is_attested_as_the_record_has_it_and_not_as_it_says() {
    let world = World::new().await;
    attach(&world, &json!({}), None).await;
    let more = json!({"nonce": "1234567890", "vmId": "another's", "subscriptionId": "another's"});
    let said = document(&ask(&world, more).await);
    assert_eq!(
        (&said["vmId"], &said["subscriptionId"], &said["nonce"]),
        (&json!("vm-of-the-record"), &json!("aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"), &json!("1234567890"))
    );
    assert_eq!(document(&ask(&world, json!({})).await)["nonce"], "20270115-080000", "the time stands for it");
    let log = world.sign_ins.0.lock().unwrap();
    let record = log.iter().find(|r| r.action == "Microsoft.HybridCompute/machines/attest/action").unwrap();
    assert_eq!(record.caller, Some(MACHINE_OBJECT));
}

/// Whoever may make machines chooses what `vmId` one is made with, and must not have another's signed.
#[tokio::test]
async fn c07_a_machine_made_with_anothers_vm_id_is_not_attested() {
    let called = (json!({}), json!({"vmId": "VM-of-the-Record"}));
    for is_first in [true, false] {
        let world = World::new().await;
        let another = MACHINE.replace("/Lab/", "/Other/").replace("/m1", "/m2");
        if is_first {
            attach(&world, &json!({}), None).await;
            world.clock.advance(1);
            write_machine(&world, &another, called.clone(), None).await;
            assert_eq!(document(&ask(&world, json!({})).await)["vmId"], "vm-of-the-record");
        } else {
            write_machine(&world, &another, called.clone(), None).await;
            world.clock.advance(1);
            attach(&world, &json!({}), None).await;
            assert_eq!(ask(&world, json!({})).await.code(), 50_012);
        }
    }
}

#[tokio::test]
async fn c07_who_is_not_the_machine_or_sends_anything_odd_gets_no_signature() {
    let world = World::new().await;
    assert_eq!(ask(&world, json!({})).await.code(), 50_012, "its resource is gone");
    attach(&world, &json!({}), None).await;
    for nonce in [json!("x".repeat(33)), json!(""), json!("a\nb"), json!("é")] {
        assert_eq!(ask(&world, json!({"nonce": nonce})).await.code(), 90_013, "{nonce}");
    }
    assert_eq!(ask(&world, json!({"nonce": 7})).await.code(), 50_012);
    let once = sign(&world.machine_key, &claims(&world, "attested"));
    assert_eq!(send(&world, "attested", &once).await.status, 200);
    assert_ne!(send(&world, "attested", &once).await.status, 200, "a statement counts once");
    let beat = sign(&world.machine_key, &claims(&world, "heartbeat"));
    assert_eq!(send(&world, "attested", &beat).await.code(), 700_023, "said for another address");
    let stranger = sign(&MachineKey::generate().unwrap(), &claims(&world, "attested"));
    assert_eq!(send(&world, "attested", &stranger).await.code(), 700_027);
    let token = world.machine_token().await;
    assert_ne!(send(&world, "attested", &token).await.status, 200, "every program may have this");
    assert_eq!(world.post(&format!("/{T1}/machine/attested"), &[]).await.code(), 900_144);
}
