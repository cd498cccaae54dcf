//! Every program of a machine asks at once, and its agent was just started.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Result, bail, ensure};
use async_trait::async_trait;
use cs_broker::{
    Broker, ChallengeDesk, ChallengeDirectory, Facts, Identity, IssueError, MachineFacts, Token, TokenIssuer,
};
use cs_ids::{ClientId, CorrelationId, ObjectId};
use cs_metadata::{Metadata, ProxyHeaders, Service};
use cs_serve::Peer;
use cs_time::{Chance, Clock, MachineChance, MachineClock};
use http::{Request, StatusCode, header};
use uuid::Uuid;

use crate::line::{Aim, Figure, Line, Outcome};

pub struct Askers;

const ASKERS: usize = 10_000;
const AUDIENCES: [&str; 2] = ["https://management.azure.com", "https://vault.azure.net"];
/// A site at the other end of a continent.
const FAR: Duration = Duration::from_millis(150);
const HEADER: &str = "the header's value";

impl Line for Askers {
    fn name(&self) -> &'static str {
        "agent-askers"
    }

    fn about(&self) -> &'static str {
        "requests to the site for each identity and audience, when 10,000 ask an agent that was just started"
    }

    fn measure(&self) -> Result<Outcome> {
        let folder = tempfile::tempdir()?;
        let issuer = Arc::new(Counting::default());
        let (clock, chance): (Arc<dyn Clock>, Arc<dyn Chance>) =
            (Arc::new(MachineClock), Arc::new(MachineChance));
        let directory = ChallengeDirectory::open(&folder.path().join("tokens"))?;
        let machine = Arc::new(Metadata {
            broker: Arc::new(Broker::new(Arc::clone(&issuer) as _, Arc::clone(&clock), Arc::clone(&chance))),
            desk: Arc::new(ChallengeDesk::new(directory, Arc::clone(&clock), Arc::clone(&chance))),
            facts: Arc::new(Machine),
            clock,
            chance,
            app_service_header: Some(HEADER.to_owned()),
            proxy_headers: ProxyHeaders::Refused,
            callers: Arc::default(),
            attester: None,
        });
        let router = machine.router(Service::Himds);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut all = tokio::task::JoinSet::new();
            for asker in 0..ASKERS {
                let router = Arc::clone(&router);
                let request = asks(asker)?;
                let peer = Peer { address: None, local: None, tls: false, connection: 0 };
                all.spawn(async move { router.answer(request, peer).await.status() });
            }
            let refused = all.join_all().await.into_iter().find(|status| *status != StatusCode::OK);
            refused.map_or(Ok(()), |status| bail!("an asker got {status}"))
        })?;
        let asked = issuer.asked.lock().unwrap_or_else(PoisonError::into_inner);
        ensure!(
            asked.len() == 2 * AUDIENCES.len(),
            "{} identities and audiences were asked for",
            asked.len()
        );
        let most = asked.values().max().copied().unwrap_or_default();
        Ok(Outcome::Measured(Figure::alone(f64::from(most), "requests", Aim::AtMost(1.0))))
    }
}

/// Over the App Service source, which needs no challenge: one user may not have so many open.
fn asks(asker: usize) -> Result<cs_serve::Request> {
    let audience = AUDIENCES[asker / 2 % AUDIENCES.len()].replace(':', "%3A").replace('/', "%2F");
    let identity = identity(asker.is_multiple_of(2)).client;
    let path = format!("/appservice/token?api-version=2019-08-01&resource={audience}&client_id={identity}");
    let request = Request::get(path).header(header::HOST, "localhost").header("X-IDENTITY-HEADER", HEADER);
    Ok(request.body(cs_serve::empty())?)
}

fn identity(system_assigned: bool) -> Identity {
    let number = if system_assigned { 1 } else { 2 };
    let id = Uuid::from_u128(number);
    Identity {
        client: ClientId::new(id),
        object: ObjectId::new(id),
        resource: format!("/r/{number}"),
        system_assigned,
    }
}

struct Machine;

#[async_trait]
impl MachineFacts for Machine {
    async fn facts(&self) -> Option<Arc<Facts>> {
        Some(Arc::default())
    }

    async fn identities(&self) -> Arc<[Identity]> {
        [identity(true), identity(false)].into()
    }
}

#[derive(Default)]
struct Counting {
    asked: Mutex<HashMap<(ClientId, String), u32>>,
}

#[async_trait]
impl TokenIssuer for Counting {
    async fn issue(&self, of: &Identity, resource: &str, _: CorrelationId) -> Result<Token, IssueError> {
        *self
            .asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry((of.client, resource.to_owned()))
            .or_default() += 1;
        tokio::time::sleep(FAR).await;
        let now = MachineClock.now().seconds();
        Ok(Token {
            access_token: "t".repeat(1200),
            expires_on: now + 86_400,
            not_before: now,
            client: of.client,
        })
    }
}
