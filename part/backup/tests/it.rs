//! A site copied, put back and checked, on real files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::{collections::HashMap, fs, path::Path, sync::Arc};

use bytes::Bytes;
use cs_backup::{BackupError, Checked, Problem, Source, Summary, unpack, verify, write};
use cs_bytes::{BlobBytes, LocalBytes};
use cs_ids::{CorrelationId, ObjectId, Scope, TenantId};
use cs_rbac::Allowed;
use cs_seal::{Aad, Key};
use cs_store::{
    AccountPlace, AuditOutcome, AuditRecord, BlobExpect, BlobProperties, BlobRow, Blobs, BlockRow,
    ContainerRow, Expected, LeaseKey, Segment, Site, Tenant,
};
use cs_store_sql::{SqlStore, copy_sqlite};
use cs_time::{Chance, SeededChance, Timestamp};
use tempfile::TempDir;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

struct World {
    dir: TempDir,
    store: SqlStore,
    bytes: LocalBytes,
    root: Key,
    tenant: TenantId,
    tenant_key: Arc<Key>,
    chance: SeededChance,
}

impl World {
    async fn new() -> Self {
        let (dir, chance) = (tempfile::tempdir().unwrap(), SeededChance::new(4));
        let store = SqlStore::sqlite(&dir.path().join("site.db")).unwrap();
        let bytes = LocalBytes::open(&dir.path().join("blobs")).unwrap();
        let (root, tenant_key) = (Key::draw(&chance), Key::draw(&chance));
        let tenant = TenantId::new(chance.uuid());
        let row = Tenant {
            id: tenant,
            display_name: "t".into(),
            domain: "t".into(),
            wrapped_key: root.wrap(&Aad::of_tenant_key(tenant), &tenant_key, &chance),
            created: NOW,
        };
        store.add_tenant(row).await.unwrap();
        let world = Self { dir, store, bytes, root, tenant, tenant_key: Arc::new(tenant_key), chance };
        let container = ContainerRow {
            name: "box".into(),
            etag: "1".into(),
            modified: NOW,
            metadata: vec![],
            lease: None,
        };
        world
            .store
            .create_container(&world.allowed(), world.place(), container, world.audit())
            .await
            .unwrap();
        world
    }

    fn place(&self) -> AccountPlace {
        AccountPlace { tenant: self.tenant, account: "/account".into() }
    }

    fn allowed(&self) -> Allowed {
        Allowed::by_the_site("a test of copies", Scope::root())
    }

    fn audit(&self) -> AuditRecord {
        AuditRecord {
            tenant: self.tenant,
            time: NOW,
            correlation: CorrelationId::new(self.chance.uuid()),
            caller: Some(ObjectId::new(self.chance.uuid())),
            client: None,
            action: "test".into(),
            scope: "/".into(),
            outcome: AuditOutcome::Done,
            because: String::new(),
        }
    }

    async fn object(&self, content: &[u8]) -> (String, u64) {
        let mut upload = self.bytes.begin().await.unwrap();
        upload.write(Bytes::copy_from_slice(content)).await.unwrap();
        (upload.finish().await.unwrap(), crc_of(content))
    }

    /// A blob of these pieces; without any, three bytes in the row.
    async fn blob(&self, name: &str, pieces: &[&[u8]]) -> Vec<String> {
        let mut segments = Vec::new();
        for content in pieces {
            let (key, crc) = self.object(content).await;
            segments.push(Segment { id: String::new(), key, length: content.len() as u64, crc });
        }
        let keys = segments.iter().map(|s| s.key.clone()).collect();
        let row = BlobRow {
            container: "box".into(),
            name: name.into(),
            etag: name.into(),
            created: NOW,
            modified: NOW,
            length: if segments.is_empty() { 3 } else { segments.iter().map(|s| s.length).sum() },
            properties: BlobProperties::default(),
            metadata: vec![],
            inline: segments.is_empty().then(|| b"abc".to_vec()),
            segments,
            lease: None,
        };
        let expect = Expected { blob: BlobExpect::Any, lease: LeaseKey::none(NOW) };
        self.store.put_blob(&self.allowed(), self.place(), row, expect, self.audit()).await.unwrap();
        keys
    }

    async fn copy(&self) -> (Vec<u8>, Summary) {
        let database = self.dir.path().join("copy.db");
        drop(fs::remove_file(&database));
        copy_sqlite(&self.dir.path().join("site.db"), &database).unwrap();
        let survey = SqlStore::sqlite(&database).unwrap();
        let source = Source {
            database: &database,
            survey: &survey,
            bytes: Some(&self.bytes),
            files: vec![("ca.key".into(), b"private".to_vec())],
            root: &self.root,
            chance: &self.chance,
            now: NOW,
        };
        let mut out = Vec::new();
        let summary = write(&mut out, &source).await.unwrap();
        (out, summary)
    }

    async fn check(&self, store: &SqlStore, bytes: &dyn BlobBytes) -> (Checked, Vec<Problem>) {
        let tenants = HashMap::from([(self.tenant, Arc::clone(&self.tenant_key))]);
        let mut problems = Vec::new();
        let checked = verify(store, bytes, &tenants, &mut |problem| problems.push(problem)).await.unwrap();
        (checked, problems)
    }
}

fn crc_of(content: &[u8]) -> u64 {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, content)
}

fn into_fresh(archive: &[u8], root: &Key) -> Result<(TempDir, cs_backup::Unpacked), BackupError> {
    let folder = tempfile::tempdir().unwrap();
    unpack(archive, root, folder.path()).map(|unpacked| (folder, unpacked))
}

#[tokio::test]
async fn what_is_put_back_is_what_was_there() {
    let world = World::new().await;
    world.blob("small", &[]).await;
    let keys = world.blob("large", &[&[1; 5000], &[2; 512]]).await;
    let (key, crc) = world.object(b"uncommitted").await;
    let block = BlockRow { id: "AA==".into(), key: key.clone(), length: 11, crc };
    let lease = LeaseKey::none(NOW);
    world
        .store
        .put_block(&world.allowed(), world.place(), "box".into(), "later".into(), block, lease, world.audit())
        .await
        .unwrap();
    let (archive, summary) = world.copy().await;
    assert_eq!(summary, Summary { objects: 3, object_bytes: 5523, damaged: vec![] });
    let private: &[u8] = b"private";
    assert!(!archive.windows(private.len()).any(|part| part == private), "private files are sealed");

    let (_folder, back) = into_fresh(&archive, &world.root).unwrap();
    assert_eq!(back.files, [("ca.key".to_owned(), private.to_vec())]);
    assert_eq!((back.objects, back.made.as_str()), (3, "2027-01-15T08:00:00Z"));
    let (store, bytes) =
        (SqlStore::sqlite(&back.database).unwrap(), LocalBytes::beside(back.blobs.as_deref().unwrap()));
    for key in keys.iter().chain([&key]) {
        let (old, new) = (world.bytes.path_of(key).unwrap(), bytes.path_of(key).unwrap());
        assert_eq!(fs::read(old).unwrap(), fs::read(new).unwrap());
    }
    let (checked, problems) = world.check(&store, &bytes).await;
    assert_eq!((checked.blobs, checked.blob_bytes, problems), (2, 3 + 5512 + 11, vec![]));
}

#[tokio::test]
async fn a_changed_or_cut_backup_and_a_strangers_key_restore_nothing() {
    let world = World::new().await;
    world.blob("large", &[&[1; 3000]]).await;
    let (archive, _) = world.copy().await;
    let stranger = Key::draw(&world.chance);
    assert!(matches!(into_fresh(&archive, &stranger), Err(BackupError::WrongKey)));
    for length in (0..archive.len() - 1024).step_by(archive.len() / 6) {
        assert!(into_fresh(&archive[..length], &world.root).is_err(), "{length}");
    }
    let manifest = archive.windows(13).position(|part| part == b"manifest.json").unwrap();
    for at in (0..manifest).step_by(archive.len() / 6).chain((manifest + 512..manifest + 700).step_by(60)) {
        let mut changed = archive.clone();
        changed[at] ^= 1;
        // What stands between entries, and in members of headers nobody reads, is no part of the site.
        if let Ok((_folder, back)) = into_fresh(&changed, &world.root) {
            let original = into_fresh(&archive, &world.root).unwrap();
            assert_eq!(fs::read(&back.database).unwrap(), fs::read(&original.1.database).unwrap(), "{at}");
        }
    }
}

/// A tar archive by anybody, with these files.
fn archive_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(content.len() as u64);
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

#[tokio::test]
async fn an_archive_names_no_place_outside_its_folder() {
    let root = Key::draw(&SeededChance::new(1));
    for name in
        ["../out", "/etc/x", "sealed/../out", "objects/../../out", "objects/x", "sealed/.hidden", "other"]
    {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("in");
        fs::create_dir(&folder).unwrap();
        let refused = unpack(&*archive_of(&[("site.db", b"x"), (name, b"x")]), &root, &folder);
        assert!(refused.is_err(), "{name}");
        assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 1, "{name}");
    }
    let mut link = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    link.append_link(&mut header, "site.db", Path::new("/etc/passwd")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let refused = unpack(&*link.into_inner().unwrap(), &root, folder.path());
    assert!(matches!(refused, Err(BackupError::NotOne(_))));
}

#[tokio::test]
async fn damage_is_named_and_copied_as_it_is() {
    let world = World::new().await;
    let changed = world.blob("changed", &[&[1; 3000]]).await.remove(0);
    let short = world.blob("short", &[&[2; 3000]]).await.remove(0);
    let gone = world.blob("gone", &[&[3; 3000]]).await.remove(0);
    world.blob("well", &[&[4; 3000]]).await;
    fs::write(world.bytes.path_of(&changed).unwrap(), [9; 3000]).unwrap();
    fs::write(world.bytes.path_of(&short).unwrap(), [2; 10]).unwrap();
    fs::remove_file(world.bytes.path_of(&gone).unwrap()).unwrap();
    let (checked, problems) = world.check(&world.store, &world.bytes).await;
    let named: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(checked.blobs, 4);
    assert_eq!(
        named,
        [
            "the blob changed in the container box has other content than was put there",
            "the blob gone in the container box has lost content",
            "the blob short in the container box has lost content",
        ]
    );
    let (archive, summary) = world.copy().await;
    let mut damaged = summary.damaged;
    damaged.sort();
    let mut wanted = vec![changed, short, gone];
    wanted.sort();
    assert_eq!(damaged, wanted);
    assert!(into_fresh(&archive, &world.root).is_ok(), "the rest is a backup");
}
