//! What the site has said, and since when it is true.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use async_trait::async_trait;
use cs_access::Standing;
use cs_authority::{Published, PublishedSite, TokenCheck};
use cs_database::{RoleName, Rule, RuleKind, ServerSettings};
use cs_databases::Server;
use cs_ids::{ObjectId, ResourceId, TenantId};
use cs_jose::{PublicKey, decode_url};
use cs_pg_gateway::{Knowledge, Unknown};
use cs_pki::{CLIENT_SECONDS, ClientKey};
use cs_time::{Clock, Timestamp};
use cs_wire_arm::{CertificateQuestion, GatewayQuestion, GatewayReply};
use rustls::sign::CertifiedKey;

use super::client::{NoAnswer, SiteClient};
use crate::failure::Failure;

/// What the site has not confirmed for so long is not decided, in seconds; a replica of the site does the same.
const GOOD_FOR_SECONDS: i64 = 10;
/// The site answers at once when something changes, and after this much when nothing does.
const WAIT_MILLISECONDS: u64 = 900;
/// What was said of a principal is good for a login so long, in seconds: a little more than one answer's wait.
const FRESH_SECONDS: i64 = 2;
/// A principal that nobody asked about for so long is not asked about any more, in seconds.
const WANTED_SECONDS: i64 = 60;
/// After a failure the site is asked again so much later.
const AGAIN: Duration = Duration::from_millis(500);

pub struct Heard {
    client: Arc<SiteClient>,
    clock: Arc<dyn Clock>,
    tokens: Arc<PublishedSite>,
    now: RwLock<Option<Now>>,
    principals: Mutex<HashMap<ObjectId, Known>>,
}

/// The server as it is.
#[derive(Clone)]
struct Now {
    version: String,
    host: String,
    /// `None` when the site has it no more.
    server: Option<Arc<Server>>,
    confirmed: Timestamp,
}

/// One principal.
#[derive(Default)]
struct Known {
    wanted: Timestamp,
    /// Whether it is good, its groups, and when that was said.
    said: Option<(bool, Vec<ObjectId>, Timestamp)>,
}

impl Heard {
    pub fn new(client: Arc<SiteClient>, clock: Arc<dyn Clock>) -> Self {
        let tokens = Arc::new(PublishedSite::new(Arc::clone(&clock), GOOD_FOR_SECONDS));
        Self { client, clock, tokens, now: RwLock::default(), principals: Mutex::default() }
    }

    pub fn tokens(&self) -> Arc<dyn TokenCheck> {
        Arc::clone(&self.tokens) as _
    }

    pub fn host(&self) -> Option<String> {
        self.read().map(|now| now.host)
    }

    pub fn label(&self) -> Option<String> {
        self.read()?.server.map(|server| server.label.clone())
    }

    /// Hears of every change, for ever.
    pub async fn listen(&self) {
        let mut failing = false;
        loop {
            let known = self.read().map(|now| now.version).unwrap_or_default();
            match self.ask(known, WAIT_MILLISECONDS, &self.wanted()).await {
                Ok(()) => failing = false,
                Err(no @ (NoAnswer::Gone | NoAnswer::Forbidden(_))) => {
                    // The site has decided: nobody may be anything here any more.
                    if !std::mem::replace(&mut failing, true) {
                        tracing::error!(%no, "this is no gateway any more");
                    }
                    self.gone();
                    tokio::time::sleep(AGAIN).await;
                }
                Err(no) => {
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!(%no, "nothing is heard of the site");
                    }
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    /// Asks without waiting for a change.
    pub async fn ask_now(&self, about: &[ObjectId]) -> Result<(), NoAnswer> {
        self.ask(String::new(), 0, about).await
    }

    async fn ask(&self, known: String, wait: u64, about: &[ObjectId]) -> Result<(), NoAnswer> {
        let question = GatewayQuestion {
            known,
            wait_milliseconds: wait,
            principals: about.iter().map(ToString::to_string).collect(),
            certificate_request: None,
        };
        // What the answer says is true at some moment from now on; when it arrives may be seconds later.
        let asked = self.clock.now();
        let reply = self.client.state(&question).await?;
        self.take(&reply, asked).map_err(|what| NoAnswer::Away(format!("its answer has a wrong {what}")))
    }

    /// Keeps what an answer says, but for what a later question was told already: answers overtake one another.
    fn take(&self, reply: &GatewayReply, confirmed: Timestamp) -> Result<(), &'static str> {
        let server = read_server(reply)?;
        let mut principals = self.principals.lock().unwrap_or_else(PoisonError::into_inner);
        for one in &reply.principals {
            let object: ObjectId = one.object_id.parse().map_err(|_| "object id")?;
            let groups = one.groups.iter().filter_map(|g| g.parse().ok()).collect();
            let known = principals.entry(object).or_default();
            if known.said.as_ref().is_none_or(|(.., at)| *at <= confirmed) {
                known.said = Some((one.good, groups, confirmed));
            }
        }
        drop(principals);
        let mut now = self.now.write().unwrap_or_else(PoisonError::into_inner);
        if now.as_ref().is_some_and(|now| confirmed < now.confirmed) {
            return Ok(());
        }
        self.tokens.hear(Published {
            tenant: server.tenant,
            issuers: reply.issuers.clone(),
            keys: reply.keys.iter().filter_map(|k| Some((k.kid.clone(), public(&k.n, &k.e)?))).collect(),
            confirmed,
        });
        *now = Some(Now {
            version: reply.version.clone(),
            host: reply.host.clone(),
            server: Some(Arc::new(server)),
            confirmed,
        });
        Ok(())
    }

    fn gone(&self) {
        if let Some(now) = &mut *self.now.write().unwrap_or_else(PoisonError::into_inner) {
            now.server = None;
            now.confirmed = self.clock.now();
            now.version.clear();
        }
    }

    fn read(&self) -> Option<Now> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn confirmed(&self) -> Result<Now, Unknown> {
        let now = self.read().filter(|now| self.is_good(now.confirmed));
        now.ok_or_else(|| Unknown(format!("the site has confirmed nothing for {GOOD_FOR_SECONDS} seconds")))
    }

    fn is_good(&self, said: Timestamp) -> bool {
        self.clock.now() <= said.plus_seconds(GOOD_FOR_SECONDS)
    }

    /// Those whom somebody asks about; the others are forgotten.
    fn wanted(&self) -> Vec<ObjectId> {
        let now = self.clock.now();
        let mut principals = self.principals.lock().unwrap_or_else(PoisonError::into_inner);
        principals.retain(|_, known| now <= known.wanted.plus_seconds(WANTED_SECONDS));
        principals.keys().copied().collect()
    }

    /// What is known of a principal, which counts as asked about.
    fn said(&self, who: ObjectId) -> Option<(bool, Vec<ObjectId>, Timestamp)> {
        let mut principals = self.principals.lock().unwrap_or_else(PoisonError::into_inner);
        let known = principals.entry(who).or_default();
        known.wanted = self.clock.now();
        known.said.clone()
    }
}

#[async_trait]
impl Knowledge for Heard {
    async fn server(&self, label: &str) -> Result<Option<Arc<Server>>, Unknown> {
        Ok(self.confirmed()?.server.filter(|server| server.label == label))
    }

    async fn server_by_now(&self, known: &Arc<Server>) -> Result<Arc<Server>, Unknown> {
        self.ask_now(&[]).await.map_err(|no| Unknown(no.to_string()))?;
        Ok(self.confirmed()?.server.unwrap_or_else(|| Arc::clone(known)))
    }

    async fn only_label(&self) -> Result<Option<String>, Unknown> {
        Ok(self.confirmed()?.server.map(|server| server.label.clone()))
    }

    async fn meet(&self, _: TenantId, who: ObjectId) -> Result<(), Unknown> {
        let fresh = |at: Timestamp| self.clock.now() <= at.plus_seconds(FRESH_SECONDS);
        // Whoever was disabled a moment ago may be enabled by now; the other way round is heard of by itself.
        if self.said(who).is_some_and(|(good, _, at)| good && fresh(at)) {
            return Ok(());
        }
        self.ask_now(&[who]).await.map_err(|no| Unknown(no.to_string()))
    }

    fn groups_of(&self, _: TenantId, who: ObjectId) -> Result<Vec<ObjectId>, Unknown> {
        let said = self.said(who).filter(|(.., at)| self.is_good(*at));
        said.map(|(_, groups, _)| groups).ok_or_else(|| Unknown("how the caller stands".to_owned()))
    }

    fn standing(&self, _: TenantId, who: ObjectId) -> Standing {
        match self.said(who).filter(|(.., at)| self.is_good(*at)) {
            Some((true, ..)) => Standing::Good,
            Some((false, ..)) => Standing::Gone,
            None => Standing::Unconfirmed,
        }
    }

    async fn certify(
        &self,
        _: &Server,
        role: &RoleName,
        key: &ClientKey,
    ) -> Result<Arc<CertifiedKey>, Unknown> {
        let told = |error: &dyn std::error::Error| Unknown(error.to_string());
        let question = CertificateQuestion {
            role: role.as_str().to_owned(),
            certificate_request: key.request(role.as_str()).map_err(|e| told(&e))?,
            life_seconds: Some(CLIENT_SECONDS),
        };
        let reply = self.client.certificate(&question).await.map_err(|e| told(&e))?;
        key.with(&reply.certificate).map_err(|e| told(&e))
    }
}

fn public(n: &str, e: &str) -> Option<PublicKey> {
    PublicKey::rsa(&decode_url(n)?, &decode_url(e)?)
}

fn read_server(reply: &GatewayReply) -> Result<Server, &'static str> {
    let id = ResourceId::parse(&reply.server_id).map_err(|_| "server id")?;
    let rules = reply.rules.iter().map(|rule| {
        Ok(Rule {
            object: rule.object_id.parse().map_err(|_| "object id")?,
            kind: RuleKind::parse(&rule.principal_type).ok_or("principal type")?,
            role: RoleName::parse(&rule.role).map_err(|_| "role")?,
        })
    });
    Ok(Server {
        tenant: reply.tenant_id.parse().map_err(|_| "tenant")?,
        label: id.name().to_ascii_lowercase(),
        settings: ServerSettings::read(&reply.properties).map_err(|_| "setting")?,
        rules: rules.collect::<Result<_, &'static str>>()?,
        client_authority: reply.client_certificate_authority.clone(),
        key: None,
        cancel_secret: decode_url(&reply.cancel_secret)
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or("cancel secret")?,
        properties: reply.properties.clone(),
        generation: reply.generation,
        id,
    })
}

impl From<NoAnswer> for Unknown {
    fn from(no: NoAnswer) -> Self {
        Self(Failure::from(no).message)
    }
}

#[cfg(test)]
mod tests {
    use cs_time::FakeClock;
    use cs_wire_arm::{GatewayPrincipal, GatewayRule};

    use super::*;

    const WHO: &str = "00000000-0000-0000-0000-000000000007";

    fn reply(version: &str, good: bool) -> GatewayReply {
        let backend =
            serde_json::json!({"host": "db.lan", "certificateAuthority": "-----BEGIN CERTIFICATE-----"});
        GatewayReply {
            version: version.to_owned(),
            tenant_id: WHO.to_owned(),
            server_id: "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/g/providers/\
                        Microsoft.DBforPostgreSQL/flexibleServers/db"
                .to_owned(),
            generation: 1,
            host: "db.postgres.s.example".to_owned(),
            properties: [("backend".to_owned(), backend)].into_iter().collect(),
            client_certificate_authority: String::new(),
            cancel_secret: cs_jose::encode_url([0; 32]),
            rules: good
                .then(|| GatewayRule {
                    object_id: WHO.to_owned(),
                    principal_type: "User".to_owned(),
                    role: "app".to_owned(),
                })
                .into_iter()
                .collect(),
            principals: vec![GatewayPrincipal { object_id: WHO.to_owned(), good, groups: Vec::new() }],
            issuers: Vec::new(),
            keys: Vec::new(),
            certificate: None,
        }
    }

    #[tokio::test]
    async fn an_answer_that_was_overtaken_changes_nothing_back() {
        let clock = Arc::new(FakeClock::at_seconds(101));
        let heard = Heard::new(Arc::new(SiteClient::nowhere()), Arc::clone(&clock) as _);
        let (tenant, who) = (WHO.parse().unwrap(), WHO.parse().unwrap());
        let (before, after) = (Timestamp::from_seconds(99), Timestamp::from_seconds(100));
        heard.take(&reply("2", false), after).unwrap();
        heard.take(&reply("1", true), before).unwrap();
        assert_eq!(heard.standing(tenant, who), Standing::Gone);
        assert!(heard.server("db").await.unwrap().unwrap().rules.is_empty());
        heard.take(&reply("3", true), Timestamp::from_seconds(101)).unwrap();
        assert_eq!(heard.standing(tenant, who), Standing::Good);
        // Ten seconds from the question, not from an answer that was long under way.
        clock.advance(12);
        assert_eq!(heard.standing(tenant, who), Standing::Unconfirmed);
        assert!(heard.server("db").await.is_err());
    }
}
