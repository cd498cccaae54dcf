//! A fleet of agents after an hour without its site: each comes back by itself, and not all at once.
//!
//! The agents are simulated in one process, with the agent's own cache and its pauses (`cs_broker::Broker`), an hour on
//! a clock of their own, and then real requests over TLS, with a connection each.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use async_trait::async_trait;
use cs_broker::{Broker, Identity, IssueError, Token, TokenIssuer};
use cs_ids::CorrelationId;
use cs_jose::{MachineKey, Signer};
use cs_time::{Chance, Clock, MachineChance, MachineClock, Timestamp};
use http::{Request, StatusCode, header};
use rustls::client::Resumption;
use serde_json::{Value, json};

use crate::{
    line::{Aim, Figure, Line, Outcome},
    load::{Target, block_on},
    site::{MANAGEMENT, Site, text},
};

pub struct Fleet;

const AUDIENCE: &str = "https://management.azure.com";

const FLEET: usize = 10_000;
const OUTAGE_SECONDS: i64 = 3600;
/// A program that was told to come again asks again after this (`Retry-After`).
const ASKS_EVERY_SECONDS: i64 = 5;
const BACK_WITHIN_SECONDS: f64 = 60.0;
/// By then something is wrong.
const GIVES_UP: Duration = Duration::from_secs(180);
const ENROLLING: usize = 8;
const MACHINES: &str = "Microsoft.HybridCompute/machines";
const VERSION: &str = "api-version=2024-07-10";

impl Line for Fleet {
    fn name(&self) -> &'static str {
        "fleet-back"
    }

    fn about(&self) -> &'static str {
        "95 of 100 of 10,000 agents have a token and their resource again, after an hour without the site, within"
    }

    fn measure(&self) -> Result<Outcome> {
        let mut site = Site::start()?;
        let machines = enrol(&site)?;
        site.while_stopped(|_| Ok(()))?;
        let back = Arc::new(Back::of(&site)?);
        let clock = Arc::new(Behind::default());
        let fleet: Vec<Agent> =
            machines.into_iter().enumerate().map(|(n, m)| Agent::of(m, n, &back, &clock)).collect();
        let mut took = block_on(async {
            outage(&fleet, &clock).await;
            back.is_back.store(1, Ordering::Relaxed);
            tokio::time::timeout(GIVES_UP, all_return(fleet)).await.context("the fleet did not come back")?
        })?;
        let broken = back.broken.load(Ordering::Relaxed);
        ensure!(broken == 0, "{broken} answers of the site were 5xx");
        took.sort_by(f64::total_cmp);
        let most = took.get(took.len() * 95 / 100).copied().context("there is no fleet")?;
        Ok(Outcome::Measured(Figure::alone(most, "s", Aim::AtMost(BACK_WITHIN_SECONDS))))
    }
}

/// The machine's clock, so many microseconds behind: an hour is lived through in seconds.
#[derive(Default)]
struct Behind(AtomicI64);

impl Clock for Behind {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(MachineClock.now().micros() - self.0.load(Ordering::Relaxed))
    }
}

/// Programs ask while the site is away. When this ends the agents' clock goes on from there.
async fn outage(fleet: &[Agent], clock: &Behind) {
    for left in (0..OUTAGE_SECONDS).rev() {
        clock.0.store(left * 1_000_000, Ordering::Relaxed);
        for agent in fleet.iter().filter(|a| (left + a.phase) % ASKS_EVERY_SECONDS == 0) {
            // Nobody is there to answer otherwise.
            drop(agent.broker.token(&agent.identity, AUDIENCE, MachineChance.uuid().into()).await);
        }
    }
}

/// Seconds until each had its token.
async fn all_return(fleet: Vec<Agent>) -> Result<Vec<f64>> {
    let begun = Instant::now();
    let mut all = tokio::task::JoinSet::new();
    for agent in fleet {
        all.spawn(async move {
            tokio::time::sleep(agent.until_it_asks()).await;
            loop {
                match agent.broker.token(&agent.identity, AUDIENCE, MachineChance.uuid().into()).await {
                    Ok(_) => return Ok(begun.elapsed().as_secs_f64()),
                    Err(IssueError::Unreachable(_)) => {
                        tokio::time::sleep(Duration::from_secs(ASKS_EVERY_SECONDS.unsigned_abs())).await;
                    }
                    Err(error) => bail!("an agent was refused: {error}"),
                }
            }
        });
    }
    all.join_all().await.into_iter().collect()
}

/// A machine as it was enrolled.
struct Machine {
    key: MachineKey,
    identity: Identity,
    tenant: String,
}

fn enrol(site: &Site) -> Result<Vec<Machine>> {
    let (bearer, target, group) = (site.bearer(MANAGEMENT)?, site.management()?, site.group()?);
    block_on(async {
        let each = (0..ENROLLING).map(async |first| {
            let mut connection = target.connect().await?;
            let mut machines = Vec::new();
            for n in (first..FLEET).step_by(ENROLLING) {
                let key = MachineKey::generate()?;
                let body = json!({"location": "local", "identity": {"type": "SystemAssigned"},
                    "properties": {"clientPublicKey": serde_json::to_string(&key.public())?, "osType": "linux"}});
                let request = Request::put(format!("{group}/providers/{MACHINES}/m{n}?{VERSION}"))
                    .header(header::AUTHORIZATION, &bearer)
                    .header(header::CONTENT_TYPE, "application/json");
                let made = connection.expect(request, body.to_string(), StatusCode::OK).await?;
                machines.push(Machine::of(key, &serde_json::from_slice(&made)?)?);
            }
            anyhow::Ok(machines)
        });
        Ok(futures_util::future::try_join_all(each).await?.into_iter().flatten().collect())
    })
}

impl Machine {
    fn of(key: MachineKey, made: &Value) -> Result<Self> {
        let identity = Identity {
            client: text(made, "/identity/clientId")?.parse()?,
            object: text(made, "/identity/principalId")?.parse()?,
            resource: text(made, "/id")?.to_owned(),
            system_assigned: true,
        };
        Ok(Self { key, identity, tenant: text(made, "/identity/tenantId")?.to_owned() })
    }
}

/// One agent, with programs that ask it every few seconds.
struct Agent {
    identity: Identity,
    broker: Broker,
    /// When its programs ask, in seconds and a part of one.
    phase: i64,
    millis: u64,
}

impl Agent {
    fn of(machine: Machine, number: usize, back: &Arc<Back>, clock: &Arc<Behind>) -> Self {
        let issuer = Proves {
            signer: Signer::machine(machine.key),
            client: machine.identity.client.to_string(),
            tenant: machine.tenant,
            back: Arc::clone(back),
        };
        let broker = Broker::new(Arc::new(issuer), Arc::clone(clock) as _, Arc::new(MachineChance));
        let (number, every) = (number as u64, ASKS_EVERY_SECONDS.unsigned_abs());
        let phase = i64::try_from(number % every).unwrap_or_default();
        Self { identity: machine.identity, broker, phase, millis: number / every % 1000 }
    }

    /// From the end of the outage.
    fn until_it_asks(&self) -> Duration {
        Duration::from_secs(self.phase.unsigned_abs()) + Duration::from_millis(self.millis)
    }
}

/// The site, and what all agents know of it.
struct Back {
    login: Target,
    management: Target,
    authority: String,
    /// 0 while it is away.
    is_back: AtomicI64,
    /// Answers with a status of 5xx.
    broken: AtomicU64,
}

impl Back {
    fn of(site: &Site) -> Result<Self> {
        let authority = site.text("/authority")?.trim_end_matches('/').to_owned();
        let (login, management) = (alone(site.login()?), alone(site.management()?));
        Ok(Self { login, management, authority, is_back: AtomicI64::new(0), broken: AtomicU64::new(0) })
    }

    async fn send(
        &self,
        to: &Target,
        request: http::request::Builder,
        body: String,
    ) -> Result<(StatusCode, Value)> {
        let (parts, body) = to.connect().await?.send(request, body).await?;
        if parts.status.is_server_error() {
            self.broken.fetch_add(1, Ordering::Relaxed);
        }
        Ok((parts.status, serde_json::from_slice(&body).unwrap_or_default()))
    }
}

/// Agents are machines of their own: none goes on with a session of another.
fn alone(mut target: Target) -> Target {
    target.tls = target.tls.map(|known| {
        let mut own = (*known).clone();
        own.resumption = Resumption::disabled();
        Arc::new(own)
    });
    target
}

/// Tokens by assertions of a machine's key, as csagent has them.
struct Proves {
    signer: Signer,
    client: String,
    tenant: String,
    back: Arc<Back>,
}

#[async_trait]
impl TokenIssuer for Proves {
    async fn issue(&self, of: &Identity, _: &str, _: CorrelationId) -> Result<Token, IssueError> {
        if self.back.is_back.load(Ordering::Relaxed) == 0 {
            return Err(IssueError::Unreachable("the site is away".to_owned()));
        }
        let unreachable = |error: anyhow::Error| IssueError::Unreachable(format!("{error:#}"));
        let (status, reply) = self.token().await.map_err(unreachable)?;
        let access_token = match reply["access_token"].as_str() {
            Some(token) => token.to_owned(),
            None if status.is_server_error() => return Err(IssueError::Unreachable(status.to_string())),
            None => return Err(IssueError::Refused { code: status.to_string(), text: reply.to_string() }),
        };
        // What an agent asks for itself once it has its token.
        let own = Request::get(format!("{}?{VERSION}", of.resource))
            .header(header::AUTHORIZATION, format!("Bearer {access_token}"));
        let (status, _) =
            self.back.send(&self.back.management, own, String::new()).await.map_err(unreachable)?;
        if status != StatusCode::OK {
            return Err(IssueError::Unreachable(format!("its own resource: {status}")));
        }
        let now = MachineClock.now().seconds();
        Ok(Token { access_token, expires_on: now + 86_400, not_before: now, client: of.client })
    }
}

impl Proves {
    async fn token(&self) -> Result<(StatusCode, Value)> {
        let path = format!("/{}/oauth2/token", self.tenant);
        let now = MachineClock.now().seconds();
        let assertion = self.signer.sign(&json!({
            "aud": format!("{}{path}", self.back.authority), "iss": self.client, "sub": self.client,
            "jti": MachineChance.uuid().simple().to_string(), "iat": now, "nbf": now - 60, "exp": now + 120
        }))?;
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3A\
             client-assertion-type%3Ajwt-bearer&client_assertion={assertion}&resource=https%3A%2F%2Fmanagement.azure.com",
            self.client
        );
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.back.send(&self.back.login, request, form).await
    }
}
