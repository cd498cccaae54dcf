use cs_store::{
    AuditLog as _, AuditQuery, AuditRecord, Expect, ResourceWrite, Resources as _, SigningKeyRow, Site as _,
    StoreError,
};

use crate::world::{NOW, World, label};

pub async fn settings_and_keys_are_kept(w: &World) {
    let name = label();
    assert_eq!(w.store.setting(name.clone()).await.unwrap(), None);
    for value in ["1", "2"] {
        w.store.set_setting(name.clone(), value.into()).await.unwrap();
        assert_eq!(w.store.setting(name.clone()).await.unwrap().as_deref(), Some(value));
    }
    let key = SigningKeyRow {
        tenant: w.tenant,
        kid: "k1".into(),
        sealed_key: vec![1, 0, 255],
        certificate: vec![2],
        signs_from: NOW,
        retired: None,
        created: NOW,
    };
    w.store.add_signing_key(key.clone()).await.unwrap();
    w.store.retire_signing_key(w.tenant, "k1".into(), NOW).await.unwrap();
    let kept = w.store.signing_keys(w.tenant).await.unwrap();
    assert_eq!(kept, [SigningKeyRow { retired: Some(NOW), ..key }]);
    assert!(w.store.signing_keys(w.stranger).await.unwrap().is_empty());
}

pub async fn audit_is_read_newest_first(w: &World) {
    let at = |seconds: i64| AuditRecord { time: NOW.plus_seconds(seconds), ..w.audit("numbered") };
    let records = vec![at(1), at(2), at(3)];
    w.store.append(records.clone()).await.unwrap();
    let read = async |query: AuditQuery| w.store.records(w.tenant, query).await.unwrap();
    let newest = read(AuditQuery { limit: 2, ..AuditQuery::default() }).await;
    assert_eq!(newest, [records[2].clone(), records[1].clone()]);
    let one =
        read(AuditQuery { correlation: Some(records[0].correlation), limit: 9, ..Default::default() }).await;
    assert_eq!(one, [records[0].clone()]);
    let callers = read(AuditQuery { caller: records[1].caller, limit: 9, ..Default::default() }).await;
    assert_eq!(callers, [records[1].clone()]);
}

pub async fn a_failed_write_leaves_no_audit(w: &World) {
    let audit = w.audit("never happened");
    let wrong = ResourceWrite {
        resource: w.vault("kv"),
        expect: Expect::Generation(99),
        host: None,
        principal: None,
    };
    assert!(
        w.store.put_resource(wrong, audit.clone()).await.is_err_and(|e| !matches!(e, StoreError::Exists(_)))
    );
    let query = AuditQuery { correlation: Some(audit.correlation), limit: 9, ..AuditQuery::default() };
    assert_eq!(w.store.records(w.tenant, query).await.unwrap(), []);
}
