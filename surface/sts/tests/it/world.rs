//! A site with two tenants, an application with a secret and one with a certificate, and a machine.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, OnceLock},
};

use cs_authority::{Authority, AuthorityParts, LiveDirectory, SignIns, Standing};
use cs_ids::{ClientId, ObjectId, TenantId};
use cs_jose::{Jws, MachineKey, RsaKey, Signer};
use cs_names::{Address, SiteNames, Surface as Place};
use cs_seal::Key;
use cs_serve::{Context, Peer, Request, Surface, full};
use cs_store::AuditRecord;
use cs_store_sql::SqlStore;
use cs_sts::Sts;
use cs_time::{Chance, Clock, FakeClock, SeededChance};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    counting::Counting,
    issuers::Issuers,
    seeds::{audit, seed_principals, seed_tenant},
};

/// 2027-01-15 08:00:00Z.
pub const NOW: i64 = 1_800_000_000;
pub const SECRET: &str = "Zk8~q.S_-3cr3t+/=of the app";
pub const VAULT: &str = "https://vault.azure.net";
pub const ARM: &str = "https://management.azure.com";
pub const LOGIN: &str = "https://login.countersign.localhost:8443";
pub const MACHINE: &str = "/subscriptions/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee/resourceGroups/Lab/providers/Microsoft.HybridCompute/machines/m1";

pub const T1: TenantId = TenantId::new(Uuid::from_u128(0x7f0c_0001));
pub const T2: TenantId = TenantId::new(Uuid::from_u128(0x7f0c_0002));
/// Proves itself with [`SECRET`].
pub const APP: ClientId = ClientId::new(Uuid::from_u128(0xa1));
pub const APP_OBJECT: ObjectId = ObjectId::new(Uuid::from_u128(0x0a1));
/// Proves itself with the certificate.
pub const SIGNED_APP: ClientId = ClientId::new(Uuid::from_u128(0xa2));
pub const MACHINE_CLIENT: ClientId = ClientId::new(Uuid::from_u128(0xb1));
pub const MACHINE_OBJECT: ObjectId = ObjectId::new(Uuid::from_u128(0x0b1));

/// Who the live directory says is gone, or that it does not know.
#[derive(Default)]
pub struct Live {
    pub gone: Mutex<HashSet<ObjectId>>,
    pub unconfirmed: Mutex<bool>,
}

impl LiveDirectory for Live {
    fn standing(&self, _: TenantId, object: ObjectId) -> Standing {
        match (*self.unconfirmed.lock().unwrap(), self.gone.lock().unwrap().contains(&object)) {
            (true, _) => Standing::Unconfirmed,
            (false, true) => Standing::Gone,
            (false, false) => Standing::Good,
        }
    }
}

#[derive(Default)]
pub struct Recorder(pub Mutex<Vec<AuditRecord>>);

impl SignIns for Recorder {
    fn record(&self, record: AuditRecord) {
        self.0.lock().unwrap().push(record);
    }
}

/// Signs with a word; openssl checks the real one in `cs-pki` and in the step `agent`.
struct Signs;

impl cs_sts::Notary for Signs {
    fn sign(&self, document: &[u8]) -> Result<Vec<u8>, String> {
        Ok([b"signed:", document].concat())
    }
}

pub struct World {
    _dir: tempfile::TempDir,
    pub store: Arc<SqlStore>,
    pub directory: Arc<Counting>,
    pub clock: Arc<FakeClock>,
    pub live: Arc<Live>,
    pub sign_ins: Arc<Recorder>,
    pub issuers: Arc<Issuers>,
    pub authority: Arc<Authority>,
    pub machine_key: MachineKey,
    sts: Sts,
    names: SiteNames,
    chance: Arc<SeededChance>,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    pub fn token(&self) -> String {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// The error's code, once everything that every error promises was checked.
    pub fn code(&self) -> i64 {
        let body = self.json();
        let description = body["error_description"].as_str().unwrap();
        let code = body["error_codes"][0].as_i64().unwrap();
        assert!(description.starts_with(&format!("AADSTS{code}: ")), "{description}");
        assert!(!self.text.contains('\\') && self.text.is_ascii(), "needs a JSON escape: {}", self.text);
        assert!(self.status.as_u16() < 500 && !self.text.contains(SECRET), "{}", self.text);
        assert_eq!(self.headers["cache-control"], "no-store, no-cache");
        code
    }
}

/// Making RSA keys takes long in tests; these are made once for all worlds.
pub fn rsa(which: usize) -> RsaKey {
    static MADE: OnceLock<[Vec<u8>; 4]> = OnceLock::new();
    let made = MADE.get_or_init(|| [0; 4].map(|_| RsaKey::generate().unwrap().to_pkcs8().unwrap().to_vec()));
    RsaKey::from_pkcs8(&made[which]).unwrap()
}

/// The certificate of [`SIGNED_APP`], with the key [`rsa`]`(2)`.
pub fn certificate() -> Vec<u8> {
    static MADE: OnceLock<Vec<u8>> = OnceLock::new();
    let make = || {
        let der = rsa(2).to_pkcs8().unwrap().to_vec();
        let der = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&der.into(), &rcgen::PKCS_RSA_SHA256).unwrap();
        let params = rcgen::CertificateParams::new(vec!["app.example".to_owned()]).unwrap();
        params.self_signed(&der).unwrap().der().to_vec()
    };
    MADE.get_or_init(make).clone()
}

impl World {
    pub async fn new() -> Self {
        Self::under(SiteNames::under("countersign.localhost").unwrap()).await
    }

    pub async fn under(names: SiteNames) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(SqlStore::sqlite(&dir.path().join("site.db")).unwrap());
        let (clock, chance) = (Arc::new(FakeClock::at_seconds(NOW)), Arc::new(SeededChance::new(7)));
        let mut tenant_keys = HashMap::new();
        for (i, tenant) in [T1, T2].into_iter().enumerate() {
            let key = Arc::new(Key::draw(&*chance));
            seed_tenant(&store, tenant, i, &key, &*chance, &*clock).await;
            tenant_keys.insert(tenant, key);
        }
        let machine_key = MachineKey::generate().unwrap();
        seed_principals(&store, &machine_key, &*clock).await;
        let (live, sign_ins) = (Arc::new(Live::default()), Arc::new(Recorder::default()));
        let directory = Arc::new(Counting::over(Arc::clone(&store) as _));
        let issuers = Arc::new(Issuers::both());
        let authority = Authority::open(AuthorityParts {
            site: Arc::clone(&store) as _,
            directory: Arc::clone(&directory) as _,
            federated: Arc::clone(&store) as _,
            resources: Arc::clone(&store) as _,
            machine_keys: Arc::clone(&store) as _,
            documents: Arc::clone(&issuers) as _,
            live: Arc::clone(&live) as _,
            sign_ins: Arc::clone(&sign_ins) as _,
            tenant_keys,
            clock: Arc::clone(&clock) as _,
            chance: Arc::clone(&chance) as _,
        });
        let authority = Arc::new(authority.await.unwrap());
        let sts = Sts::new(Arc::clone(&authority), Arc::clone(&clock) as Arc<dyn Clock>);
        let sts = sts.with_notary(Arc::new(Signs));
        Self {
            _dir: dir,
            store,
            directory,
            clock,
            live,
            sign_ins,
            issuers,
            authority,
            machine_key,
            sts,
            names,
            chance,
        }
    }

    pub fn address(&self) -> Address {
        self.address_at(8443)
    }

    pub fn address_at(&self, port: u16) -> Address {
        Address::new(self.names.clone(), port)
    }

    pub async fn send(&self, request: http::Request<String>) -> Answer {
        self.send_to(request, 8443).await
    }

    pub async fn send_to(&self, request: http::Request<String>, port: u16) -> Answer {
        let context = Context {
            peer: Peer { address: None, local: None, tls: true, connection: 0 },
            request_id: self.chance.uuid(),
            started: self.clock.now(),
            address: self.address_at(port),
            place: Place::Login,
        };
        let request: Request = request.map(full);
        let (head, body) = self.sts.serve(request, context).await.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Answer { status: head.status, headers: head.headers, text }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(http::Request::get(path).body(String::new()).unwrap()).await
    }

    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(form(path, &encoded(fields))).await
    }

    /// A token for the application, v2.
    pub async fn by_secret(&self, secret: &str, scope: &str) -> Answer {
        self.post(&token_path(T1), &secret_form(secret, scope)).await
    }

    /// A token for whoever signed the assertion, v2.
    pub async fn by_assertion(&self, assertion: &str) -> Answer {
        self.assert_at(&token_path(T1), assertion).await
    }

    pub async fn assert_at(&self, path: &str, assertion: &str) -> Answer {
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let scope = format!("{VAULT}/.default");
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", kind),
            ("client_assertion", assertion),
            ("scope", &scope),
        ];
        self.post(path, &fields).await
    }

    /// A token of the machine, for a resource.
    pub async fn machine_token(&self) -> String {
        self.authority
            .token_for((T1, MACHINE_CLIENT), (VAULT, &self.address(), no_call()))
            .await
            .unwrap()
            .access_token
    }

    pub fn clock_now(&self) -> cs_time::Timestamp {
        self.clock.now()
    }

    pub fn audit(&self) -> AuditRecord {
        audit(&*self.clock)
    }

    /// A token with claims of our choice, signed by the key that T1 signs with.
    pub fn forged(&self, claims: &Value) -> String {
        let kid = rsa(0).public().thumbprint();
        Signer::authority(rsa(0), &kid).sign(claims).unwrap()
    }
}

pub fn claims_of(token: &str) -> Map<String, Value> {
    Jws::split(token).unwrap().claims
}

pub fn token_path(tenant: TenantId) -> String {
    format!("/{tenant}/oauth2/v2.0/token")
}

pub fn secret_form<'f>(secret: &'f str, scope: &'f str) -> [(&'f str, &'f str); 4] {
    const CLIENT: &str = "00000000-0000-0000-0000-0000000000a1";
    [("grant_type", "client_credentials"), ("client_id", CLIENT), ("client_secret", secret), ("scope", scope)]
}

pub fn form(path: &str, body: &str) -> http::Request<String> {
    let kind = "application/x-www-form-urlencoded";
    http::Request::post(path).header("content-type", kind).body(body.to_owned()).unwrap()
}

pub fn encoded(fields: &[(&str, &str)]) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric();
    let code = |text: &str| -> String {
        text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
    };
    fields.iter().map(|(n, v)| format!("{}={}", code(n), code(v))).collect::<Vec<_>>().join("&")
}

/// The correlation id of a token that no request asked for.
pub fn no_call() -> cs_ids::CorrelationId {
    Uuid::nil().into()
}
