//! A site of one account `acct`; tokens are names that the check knows.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use cs_access::Access;
use cs_authority::{Audiences, TokenCheck, TokenRefusal};
use cs_blob::{BlobParts, Blobs};
use cs_blob_http::BlobHttp;
use cs_bytes::LocalBytes;
use cs_ids::{CorrelationId, ObjectId, ResourceId, SubscriptionId, TenantId};
use cs_names::{Address, SiteNames, Surface as Place};
use cs_rbac::Caller;
use cs_seal::{Aad, Key, MacKey};
use cs_serve::{Body, BoxError, Context, Peer, Request, Response, Surface, full, read_body, stream};
use cs_store::{
    Assignment, Assignments, AuditOutcome, AuditRecord, Directory, Expect, HostKind, Principal,
    PrincipalKind, Resource, ResourceWrite, Resources,
};
use cs_store_sql::SqlStore;
use cs_time::{Chance, Clock, FakeClock, SeededChance};
use serde_json::{Value, json};
use uuid::Uuid;

pub struct World {
    pub dir: tempfile::TempDir,
    pub store: Arc<SqlStore>,
    pub clock: Arc<FakeClock>,
    pub blobs: Arc<Blobs>,
    access: Arc<Access>,
    surface: BlobHttp,
    data_key: Key,
}

pub struct Reply {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Bytes,
}

impl Reply {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn code(&self) -> &str {
        self.headers.get("x-ms-error-code").map(|v| v.to_str().unwrap()).unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|v| v.to_str().unwrap()).unwrap_or_default()
    }
}

struct Tokens;

impl TokenCheck for Tokens {
    fn check(&self, token: &str, audiences: &Audiences) -> Result<Caller, TokenRefusal> {
        assert!(
            audiences.contain("https://storage.azure.com/")
                && audiences.contain("https://acct.blob.core.s.example")
        );
        match token {
            "expired" => Err(TokenRefusal::Expired(cs_time::Timestamp::from_seconds(1))),
            "arm" => Err(TokenRefusal::Audience { found: "https://management.azure.com/".into() }),
            "stranger" => Ok(Caller::invented(tenant(2), object("stranger"))),
            "reader" | "writer" | "owner" | "nobody" | "tagger" => {
                Ok(Caller::invented(tenant(1), object(token)))
            }
            _ => Err(TokenRefusal::Signature),
        }
    }
}

pub fn tenant(n: u128) -> TenantId {
    TenantId::new(Uuid::from_u128(n))
}

pub fn object(name: &str) -> ObjectId {
    ObjectId::new(Uuid::from_u128(name.bytes().fold(7, |sum, b| sum * 31 + u128::from(b))))
}

const SUBSCRIPTION: &str = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";

impl World {
    /// The reader holds Storage Blob Data Reader, the writer Contributor, the owner only Owner.
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(SqlStore::sqlite(&dir.path().join("site.db")).unwrap());
        let clock = Arc::new(FakeClock::at_seconds(1_800_000_000));
        let chance = Arc::new(SeededChance::new(3));
        let tenant_key = Arc::new(Key::draw(&*chance));
        let data_key = Key::draw(&*chance);
        let wrapped = tenant_key.wrap(&Aad::of_data_key(tenant(1)), &data_key, &*chance);
        let access =
            Arc::new(Access::new(Arc::clone(&store) as _, Arc::clone(&store) as _, Arc::clone(&clock) as _));
        let blobs = Arc::new(Blobs::new(BlobParts {
            resources: Arc::clone(&store) as _,
            blobs: Arc::clone(&store) as _,
            bytes: Arc::new(LocalBytes::open(dir.path()).unwrap()),
            tenant_keys: HashMap::from([(tenant(1), Arc::clone(&tenant_key))]),
            development: false,
            clock: Arc::clone(&clock) as _,
            chance: Arc::clone(&chance) as _,
        }));
        let surface =
            BlobHttp::new(Arc::clone(&blobs), Arc::clone(&access), Arc::new(Tokens), Arc::clone(&clock) as _);
        let world = Self { dir, store, clock, blobs, access: Arc::clone(&access), surface, data_key };
        let subscription: SubscriptionId = SUBSCRIPTION.parse().unwrap();
        world
            .put(ResourceId::of_group(subscription, "lab"), "Microsoft.Resources/resourceGroups", None)
            .await;
        world
            .put(
                account_id(),
                "Microsoft.Storage/storageAccounts",
                Some((HostKind::Account, "acct".into(), wrapped)),
            )
            .await;
        for (who, role) in [
            ("reader", "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"),
            ("writer", "ba92f5b4-2d11-453d-a403-e96b0029c9fe"),
            ("owner", "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"),
        ] {
            world.store.add_principal(principal(who), vec![], audit()).await.unwrap();
            world.store.put_assignment(assignment(who, role), audit()).await.unwrap();
        }
        world.store.add_principal(principal("nobody"), vec![], audit()).await.unwrap();
        access.refresh(tenant(1)).await.unwrap();
        assert_eq!(world.send("writer", "PUT", "/box?restype=container", &[], "").await.status, 201);
        world
    }

    async fn put(&self, id: ResourceId, kind: &str, host: Option<(HostKind, String, Vec<u8>)>) {
        let now = self.clock.now();
        let resource = Resource {
            tenant: tenant(1),
            id,
            kind: kind.into(),
            location: "local".into(),
            tags: vec![],
            extra: json!({}),
            properties: Value::Object(serde_json::Map::new()),
            created: now,
            updated: now,
            created_by: String::new(),
            updated_by: String::new(),
            deleted: None,
            generation: 0,
        };
        let write = ResourceWrite { resource, expect: Expect::Absent, host, principal: None };
        self.store.put_resource(write, audit()).await.unwrap();
    }

    pub async fn send(
        &self,
        token: &str,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        let length = body.len().to_string();
        let mut all = vec![("x-ms-version", "2020-10-02"), ("content-length", length.as_str())];
        all.extend(headers);
        self.send_body(token, method, target, &all, full(body.to_owned()), true).await
    }

    pub async fn send_body(
        &self,
        token: &str,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Body,
        tls: bool,
    ) -> Reply {
        let mut request = http::Request::builder().method(method).uri(target);
        if !token.is_empty() {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, body) = self.serve(request.body(body).unwrap(), tls).await.into_parts();
        let body = read_body(body, 256 << 20).await.unwrap();
        Reply { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    pub async fn serve(&self, request: Request, tls: bool) -> Response {
        let context = Context {
            peer: Peer { address: None, local: None, tls, connection: 0 },
            request_id: SeededChance::new(9).uuid(),
            started: self.clock.now(),
            address: Address::new(SiteNames::under("s.example").unwrap(), 443),
            place: Place::Blob { account: "acct".into(), secondary: false },
        };
        self.surface.serve(request, context).await
    }

    /// A shared key of the account, made when the account was or at the time given.
    pub fn shared_key(&self, name: &str, made: Option<&str>) -> MacKey {
        let made = made.map_or_else(|| cs_time::Timestamp::from_seconds(1_800_000_000).iso7(), str::to_owned);
        MacKey::new(&self.data_key.derive(&Aad::of_shared_key(tenant(1), "acct", (name, &made))))
    }

    /// Writes the account's properties anew.
    pub async fn set_account(&self, properties: Value) {
        let known = self.store.resource(tenant(1), account_id()).await.unwrap().unwrap();
        let expect = Expect::Generation(known.generation);
        let write =
            ResourceWrite { resource: Resource { properties, ..known }, expect, host: None, principal: None };
        self.store.put_resource(write, audit()).await.unwrap();
    }

    /// Gives somebody a role on the account.
    pub async fn grant(&self, who: &str, role: &str) {
        self.store.add_principal(principal(who), vec![], audit()).await.unwrap();
        self.store.put_assignment(assignment(who, role), audit()).await.unwrap();
        self.access.refresh(tenant(1)).await.unwrap();
    }

    pub async fn take_roles_of(&self, who: &str) {
        let name = assignment(who, "").name;
        let gone = self.store.remove_assignment(tenant(1), account_id().scope().clone(), name, audit()).await;
        assert!(gone.unwrap().is_some());
        self.access.refresh(tenant(1)).await.unwrap();
    }

    pub async fn disable(&self, who: &str) {
        self.store.set_enabled(tenant(1), object(who), false, audit()).await.unwrap();
        self.access.refresh(tenant(1)).await.unwrap();
    }

    /// Moves the clock on, and lets the access snapshot be confirmed, as its polling would.
    pub async fn pass(&self, seconds: i64) {
        self.clock.advance(seconds);
        self.access.refresh(tenant(1)).await.unwrap();
    }

    pub async fn upload(&self, name: &str, body: &str) -> Reply {
        self.send("writer", "PUT", &format!("/box/{name}"), &[("x-ms-blob-type", "BlockBlob")], body).await
    }

    pub async fn get(&self, target: &str, headers: &[(&str, &str)]) -> Reply {
        self.send("reader", "GET", target, headers, "").await
    }

    /// Files of content on disk, unfinished ones too.
    pub fn objects(&self) -> usize {
        fn count(path: &std::path::Path) -> usize {
            let entries = std::fs::read_dir(path).unwrap().flatten();
            entries.map(|e| if e.path().is_dir() { count(&e.path()) } else { 1 }).sum()
        }
        count(&self.dir.path().join("objects")) + count(&self.dir.path().join("incoming"))
    }
}

/// A body in pieces; `broken` ends it with an error.
pub fn pieces(piece: &'static [u8], times: usize, broken: bool) -> Body {
    let good = (0..times).map(move |_| Ok::<_, BoxError>(Bytes::from_static(piece)));
    let bad = broken.then(|| Err::<Bytes, BoxError>("the client has gone".into()));
    stream(futures_util::stream::iter(good.chain(bad)))
}

/// Standard base64.
pub fn encoded(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

pub fn decoded(text: &str) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

fn account_id() -> ResourceId {
    ResourceId::of_resource(
        SUBSCRIPTION.parse().unwrap(),
        "lab",
        "Microsoft.Storage",
        "storageAccounts",
        "acct",
    )
}

fn principal(name: &str) -> Principal {
    Principal {
        tenant: tenant(1),
        object: object(name),
        kind: PrincipalKind::Application,
        client: None,
        display_name: name.into(),
        enabled: true,
        resource: None,
        directory_admin: false,
        created: cs_time::Timestamp::default(),
        deleted: false,
        revision: 0,
    }
}

fn assignment(who: &str, role: &str) -> Assignment {
    Assignment {
        tenant: tenant(1),
        name: Uuid::from_u128(object(who).uuid().as_u128() ^ 1).to_string(),
        scope: account_id().scope().clone(),
        role: role.into(),
        principal: object(who),
        principal_type: "ServicePrincipal".into(),
        condition: None,
        condition_version: None,
        description: None,
        created: cs_time::Timestamp::default(),
        updated: cs_time::Timestamp::default(),
        created_by: None,
        updated_by: None,
        deleted: false,
        revision: 0,
    }
}

fn audit() -> AuditRecord {
    AuditRecord {
        tenant: tenant(1),
        time: cs_time::Timestamp::default(),
        correlation: CorrelationId::new(Uuid::nil()),
        caller: None,
        client: None,
        action: "test".into(),
        scope: "/".into(),
        outcome: AuditOutcome::Done,
        because: String::new(),
    }
}
