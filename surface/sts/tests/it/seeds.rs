//! What stands in a world's store at the start.

use aws_lc_rs::digest;
use cs_ids::{CorrelationId, ObjectId, TenantId};
use cs_jose::MachineKey;
use cs_seal::{Aad, Key};
use cs_store::{
    AuditOutcome, AuditRecord, Credential, CredentialHolder, CredentialKind, Directory, Principal,
    PrincipalKind, SigningKeyRow, Site, Tenant,
};
use cs_store_sql::SqlStore;
use cs_time::{Chance, Clock};
use uuid::Uuid;

use crate::world::{
    APP, APP_OBJECT, MACHINE, MACHINE_CLIENT, MACHINE_OBJECT, SECRET, SIGNED_APP, T1, certificate, rsa,
};

pub fn audit(clock: &dyn Clock) -> AuditRecord {
    AuditRecord {
        tenant: T1,
        time: clock.now(),
        correlation: CorrelationId::new(Uuid::nil()),
        caller: None,
        client: None,
        action: "test".into(),
        scope: "/".into(),
        outcome: AuditOutcome::Done,
        because: String::new(),
    }
}

pub async fn seed_tenant(
    store: &SqlStore,
    id: TenantId,
    order: usize,
    key: &Key,
    chance: &dyn Chance,
    clock: &dyn Clock,
) {
    let created = clock.now().plus_seconds(order as i64 - 1000);
    let domain = ["first.example", "second.example"][order].to_owned();
    let tenant = Tenant { id, display_name: domain.clone(), domain, wrapped_key: vec![], created };
    store.add_tenant(tenant).await.unwrap();
    let kid = rsa(order).public().thumbprint();
    let place = Aad::of("signing key").field(id).field(&kid);
    let sealed_key = key.seal(&place, &rsa(order).to_pkcs8().unwrap(), chance);
    let row = SigningKeyRow {
        tenant: id,
        kid,
        sealed_key,
        certificate: vec![],
        signs_from: created,
        retired: None,
        created,
    };
    store.add_signing_key(row).await.unwrap();
}

pub async fn seed_principals(store: &SqlStore, machine: &MachineKey, clock: &dyn Clock) {
    let secret = digest::digest(&digest::SHA256, SECRET.as_bytes()).as_ref().to_vec();
    let jwk = serde_json::to_vec(&machine.public()).unwrap();
    let application = PrincipalKind::Application;
    for (client, object, kind, resource, proof, lookup, material) in [
        (APP, APP_OBJECT, application, None, CredentialKind::Secret, String::new(), secret),
        (
            SIGNED_APP,
            ObjectId::new(SIGNED_APP.uuid()),
            application,
            None,
            CredentialKind::Certificate,
            String::new(),
            certificate(),
        ),
        (
            MACHINE_CLIENT,
            MACHINE_OBJECT,
            PrincipalKind::MachineIdentity,
            Some(MACHINE.to_owned()),
            CredentialKind::Key,
            machine.public().thumbprint(),
            jwk,
        ),
    ] {
        let principal = Principal {
            tenant: T1,
            object,
            kind,
            client: Some(client),
            display_name: "p".into(),
            enabled: true,
            resource,
            directory_admin: false,
            created: clock.now(),
            deleted: false,
            revision: 0,
        };
        let credential = Credential {
            tenant: T1,
            client,
            holder: CredentialHolder::Principal,
            id: format!("k-{client}"),
            kind: proof,
            lookup,
            material,
            not_before: clock.now().plus_seconds(-1),
            expires: clock.now().plus_seconds(30 * 86_400),
        };
        store.add_principal(principal, vec![credential], audit(clock)).await.unwrap();
    }
}
