use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use cs_broker::{Broker, Identity, IssueError, Token, TokenIssuer};
use cs_ids::{ClientId, CorrelationId, ObjectId};
use cs_time::{Clock, FakeClock, SeededChance};
use uuid::Uuid;

const DAY: i64 = 86_400;

struct Site {
    clock: Arc<FakeClock>,
    asked: AtomicUsize,
    fails: Mutex<Option<IssueError>>,
    /// Opened by the test: until then every request waits.
    gate: tokio::sync::Semaphore,
}

#[async_trait]
impl TokenIssuer for Site {
    async fn issue(
        &self,
        identity: &Identity,
        resource: &str,
        _: CorrelationId,
    ) -> Result<Token, IssueError> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        let _open = self.gate.acquire().await.unwrap();
        if let Some(error) = self.fails.lock().unwrap().clone() {
            return Err(error);
        }
        let now = self.clock.now().seconds();
        Ok(Token {
            access_token: format!("{resource}#{number}"),
            expires_on: now + DAY,
            not_before: now - 300,
            client: identity.client,
        })
    }
}

struct World {
    site: Arc<Site>,
    clock: Arc<FakeClock>,
    broker: Arc<Broker>,
    me: Identity,
}

fn nobodys() -> CorrelationId {
    Uuid::nil().into()
}

impl World {
    fn new(open: usize) -> Self {
        let clock = Arc::new(FakeClock::at_seconds(1_800_000_000));
        let site = Arc::new(Site {
            clock: Arc::clone(&clock),
            asked: AtomicUsize::new(0),
            fails: Mutex::default(),
            gate: tokio::sync::Semaphore::new(open),
        });
        let broker =
            Broker::new(Arc::clone(&site) as _, Arc::clone(&clock) as _, Arc::new(SeededChance::new(3)));
        let me = Identity {
            client: ClientId::new(Uuid::from_u128(1)),
            object: ObjectId::new(Uuid::from_u128(2)),
            resource: "/subscriptions/s".into(),
            system_assigned: true,
        };
        Self { site, clock, broker: Arc::new(broker), me }
    }

    fn asked(&self) -> usize {
        self.site.asked.load(Ordering::SeqCst)
    }

    fn fail(&self, error: Option<IssueError>) {
        *self.site.fails.lock().unwrap() = error;
    }

    async fn token(&self) -> Result<Arc<Token>, IssueError> {
        self.broker.token(&self.me, "https://vault.azure.net", nobodys()).await
    }
}

#[tokio::test]
async fn many_askers_cause_one_request() {
    let world = Arc::new(World::new(0));
    let askers: Vec<_> = (0..1000)
        .map(|_| {
            tokio::spawn({
                let world = Arc::clone(&world);
                async move { world.token().await.unwrap() }
            })
        })
        .collect();
    while world.asked() == 0 {
        tokio::task::yield_now().await;
    }
    world.site.gate.add_permits(1000);
    for asker in askers {
        assert_eq!(asker.await.unwrap().access_token, "https://vault.azure.net#0");
    }
    assert_eq!(world.asked(), 1);
}

#[tokio::test]
async fn renewed_in_the_second_half_of_life_by_one() {
    let world = World::new(9);
    world.token().await.unwrap();
    world.clock.advance(DAY / 2 - 1);
    world.token().await.unwrap();
    assert_eq!(world.asked(), 1);
    world.clock.advance(DAY * 4 / 10 + 2);
    assert_eq!(world.token().await.unwrap().access_token, "https://vault.azure.net#1");
    world.clock.advance(DAY * 9 / 10);
    world.broker.renew_due().await;
    assert_eq!(world.asked(), 3);
}

#[tokio::test]
async fn cached_tokens_serve_while_the_site_is_away_and_askers_back_off() {
    let world = World::new(9);
    let first = world.token().await.unwrap();
    world.fail(Some(IssueError::Unreachable("down".into())));
    world.clock.advance(DAY - 10);
    assert_eq!(world.token().await.unwrap(), first);
    assert_eq!(world.asked(), 2);
    assert_eq!(world.token().await.unwrap(), first);
    assert_eq!(world.asked(), 2, "no second request within the pause");
    world.clock.advance(10);
    assert!(matches!(world.token().await, Err(IssueError::Unreachable(_))));
    world.fail(None);
    world.clock.advance(65);
    assert!(world.token().await.is_ok());
}

#[tokio::test]
async fn c06_a_revoked_machine_loses_what_is_cached() {
    let world = World::new(9);
    world.token().await.unwrap();
    world.fail(Some(IssueError::Revoked("gone".into())));
    world.clock.advance(DAY * 9 / 10 + 1);
    assert!(matches!(world.token().await, Err(IssueError::Revoked(_))));
    world.fail(Some(IssueError::Unreachable("down".into())));
    assert!(
        matches!(world.token().await, Err(IssueError::Unreachable(_))),
        "nothing cached is left to serve"
    );
}

#[tokio::test]
async fn resources_named_by_programs_are_bounded() {
    let world = World::new(usize::MAX >> 4);
    for number in 0..2000 {
        world.broker.token(&world.me, &format!("https://{number}"), nobodys()).await.unwrap();
    }
    world.token().await.unwrap();
}

#[tokio::test]
async fn a_clock_put_back_makes_nobody_serve_old_tokens_or_wait() {
    let world = World::new(99);
    world.token().await.unwrap();
    world.clock.advance(-10);
    world.token().await.unwrap();
    assert_eq!(world.asked(), 1, "set right by a moment");
    world.clock.advance(-3 * DAY);
    world.token().await.unwrap();
    assert_eq!(world.asked(), 2, "how old it is nobody knows");
    world.fail(Some(IssueError::Unreachable("down".into())));
    world.clock.advance(2 * DAY);
    assert!(world.token().await.is_err());
    world.fail(None);
    world.clock.advance(-DAY);
    world.token().await.unwrap();
    world.clock.advance(30 * DAY);
    assert_eq!(world.token().await.unwrap().access_token, "https://vault.azure.net#4", "put forward");
}
