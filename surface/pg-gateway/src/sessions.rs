//! Every open session: whom it is for, how its work is cancelled, and how it is told to end.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, Ordering},
    },
    time::Duration,
};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use bytes::Bytes;
use cs_database::RoleName;
use cs_ids::{ObjectId, TenantId};
use cs_time::{Chance, Timestamp};
use cs_wire_postgres::{BackendKey, CancelKey, Report};
use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

use crate::{
    Shared,
    backend::WayBack,
    cancel::{LONG_KEY, SHORT_KEY},
    refusal::Refusal,
    splice,
    streams::{Client, Server},
};

/// Process numbers that are taken are drawn again; with this many in a row the numbers are used up.
const DRAWS: usize = 64;
/// Sessions that were told to end at once are waited for so long when the gateway stops.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Why a session is ended from our side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Why {
    /// The identity is disabled or gone, or its rule is.
    Revoked = 1,
    TokenExpired = 2,
    Idle = 3,
    Shutdown = 4,
}

impl Why {
    pub fn report(self) -> Report {
        let admin = || Report::fatal("57P01", "terminating connection due to administrator command");
        match self {
            Self::Revoked => admin().detail("The identity may no longer use this role."),
            Self::TokenExpired => admin().detail("The access token of this session has expired."),
            Self::Idle => Report::fatal("57P05", "terminating connection due to idle-session timeout"),
            Self::Shutdown => admin(),
        }
    }

    fn of(number: u8) -> Option<Self> {
        [Self::Revoked, Self::TokenExpired, Self::Idle, Self::Shutdown]
            .into_iter()
            .find(|w| *w as u8 == number)
    }
}

/// How a session is spoken to from outside its task.
#[derive(Default)]
pub(crate) struct Control {
    /// A [`Why`]; with [`GENTLY`] once the session is idle outside a transaction.
    asked: AtomicU8,
    waker: AtomicWaker,
    /// Raised whenever bytes move.
    pub moved: AtomicU32,
}

const GENTLY: u8 = 0x80;

impl Control {
    /// Ends the session: at once, or when it is idle. What was asked first stays, but "at once" beats "when idle".
    pub fn end(&self, why: Why, gently: bool) {
        let wanted = why as u8 | if gently { GENTLY } else { 0 };
        let _ = self.asked.fetch_update(Ordering::AcqRel, Ordering::Acquire, |asked| {
            (asked == 0 || (asked & GENTLY != 0 && !gently)).then_some(wanted)
        });
        self.waker.wake();
    }

    /// What was asked, and whether it waits for idleness.
    pub fn asked(&self) -> Option<(Why, bool)> {
        let asked = self.asked.load(Ordering::Acquire);
        Why::of(asked & !GENTLY).map(|why| (why, asked & GENTLY != 0))
    }

    pub fn listen(&self, waker: &std::task::Waker) {
        self.waker.register(waker);
    }
}

/// A session to be.
pub(crate) struct NewSession {
    pub tenant: TenantId,
    pub object: ObjectId,
    pub rule: ObjectId,
    pub label: String,
    pub role: RoleName,
    pub expires: Timestamp,
    pub long_key: bool,
    /// What the client is told, where every gateway can make out what is meant by it.
    pub told: Option<BackendKey>,
    pub behind: WayBack,
}

/// An open session, as others see it.
pub(crate) struct Entry {
    pub about: NewSession,
    pub control: Control,
    key: BackendKey,
    /// For idle limits: how much had moved when it was last looked at, and since when nothing has.
    seen: AtomicU32,
    still_since: AtomicI64,
}

impl Entry {
    /// Since when no byte has moved; to be asked regularly.
    pub fn still_since(&self, now: Timestamp) -> Timestamp {
        let moved = self.control.moved.load(Ordering::Relaxed);
        if self.seen.swap(moved, Ordering::Relaxed) != moved {
            self.still_since.store(now.micros(), Ordering::Relaxed);
        }
        Timestamp::from_micros(self.still_since.load(Ordering::Relaxed))
    }
}

/// All sessions of the gateway.
pub(crate) struct Sessions {
    most: usize,
    closing: AtomicBool,
    /// By the process number we told.
    open: Arc<Mutex<HashMap<i32, Arc<Entry>>>>,
    fewer: Arc<Notify>,
}

/// A session's place; given back when dropped.
pub(crate) struct Admission {
    entry: Arc<Entry>,
    open: Arc<Mutex<HashMap<i32, Arc<Entry>>>>,
    fewer: Arc<Notify>,
}

impl Sessions {
    pub fn new(most: usize) -> Self {
        Self { most, closing: AtomicBool::new(false), open: Arc::default(), fewer: Arc::default() }
    }

    pub fn admit(&self, new: NewSession, chance: &dyn Chance, now: Timestamp) -> Result<Admission, Refusal> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_closing() {
            return Err(Refusal::Stopping);
        }
        if open.len() >= self.most {
            return Err(Refusal::Full);
        }
        let told = new.told.clone().filter(|told| !open.contains_key(&told.pid));
        let key = told.or_else(|| draw(&open, new.long_key, chance)).ok_or(Refusal::Full)?;
        let pid = key.pid;
        let entry = Arc::new(Entry {
            about: new,
            control: Control::default(),
            key,
            seen: AtomicU32::new(0),
            still_since: AtomicI64::new(now.micros()),
        });
        open.insert(pid, Arc::clone(&entry));
        Ok(Admission { entry, open: Arc::clone(&self.open), fewer: Arc::clone(&self.fewer) })
    }

    pub fn all(&self) -> Vec<Arc<Entry>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The session that a cancel request means.
    pub fn find(&self, pid: i32, key: &CancelKey) -> Option<Arc<Entry>> {
        let known = self.open.lock().unwrap_or_else(PoisonError::into_inner).get(&pid).cloned();
        known.filter(|e| verify_slices_are_equal(&e.key.key.0, &key.0).is_ok())
    }

    /// Whether nobody is let in any more.
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Ends all sessions: those that are idle now, the others when they are or the time is up.
    pub async fn drain(&self, at_most: Duration) {
        self.closing.store(true, Ordering::Release);
        self.tell_all(true);
        if tokio::time::timeout(at_most, self.emptied()).await.is_err() {
            self.tell_all(false);
            let _ = tokio::time::timeout(LAST_WORDS, self.emptied()).await;
        }
    }

    fn tell_all(&self, gently: bool) {
        self.all().iter().for_each(|entry| entry.control.end(Why::Shutdown, gently));
    }

    async fn emptied(&self) {
        loop {
            let fewer = self.fewer.notified();
            tokio::pin!(fewer);
            // Listening before looking: a session that ends in between is not missed.
            fewer.as_mut().enable();
            if self.open.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
                return;
            }
            fewer.await;
        }
    }
}

/// A pair that only this gateway knows.
fn draw(open: &HashMap<i32, Arc<Entry>>, long: bool, chance: &dyn Chance) -> Option<BackendKey> {
    let mut key = vec![0; if long { LONG_KEY } else { SHORT_KEY }];
    chance.fill(&mut key);
    let pid = (0..DRAWS).map(|_| process_number(chance)).find(|pid| !open.contains_key(pid))?;
    Some(BackendKey { pid, key: CancelKey(Bytes::from(key)) })
}

/// Positive, and not to be guessed: it is half of what a cancel request proves itself with.
fn process_number(chance: &dyn Chance) -> i32 {
    let mut bytes = [0; 4];
    chance.fill(&mut bytes);
    (i32::from_be_bytes(bytes) & i32::MAX).max(1)
}

impl Admission {
    pub fn key(&self) -> &BackendKey {
        &self.entry.key
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.entry.key.pid);
        self.fewer.notify_waiters();
    }
}

/// A session that waits for its client's end.
pub(crate) struct Ready {
    pub session: Admission,
    pub server: Server,
    pub backlog: Bytes,
    pub shared: Arc<Shared>,
}

impl Ready {
    pub fn with(self, client: Client) -> Session {
        Session {
            client,
            server: self.server,
            admission: self.session,
            backlog: self.backlog,
            _shared: self.shared,
        }
    }
}

/// A session, both ends in hand.
pub(crate) struct Session {
    client: Client,
    server: Server,
    admission: Admission,
    backlog: Bytes,
    _shared: Arc<Shared>,
}

impl Session {
    /// Moves bytes until one side is done or the session is ended.
    pub async fn run(self) {
        let Self { mut client, mut server, admission, backlog, _shared } = self;
        let control = &admission.entry.control;
        let mut ways = splice::Ways::new(backlog);
        match ways.run(&mut client, &mut server, control).await {
            Ok(splice::End::Closed) => {}
            Ok(splice::End::Asked(why)) => {
                Box::pin(end(&mut client, &mut server, &mut ways, why, &admission.entry.about.behind)).await;
            }
            Err(error) => {
                tracing::debug!(%error, "a session broke off");
                // A server at work would go on until it next writes.
                if !ways.is_server_ready() {
                    Box::pin(admission.entry.about.behind.cancel()).await;
                }
            }
        }
    }
}

/// The last words to the client, between two messages; what the server still does is cancelled.
async fn end(client: &mut Client, server: &mut Server, ways: &mut splice::Ways, why: Why, behind: &WayBack) {
    let at_work = !ways.is_server_ready();
    let words = ways.run_to_boundary(client, server).await.then(|| why.report().encode());
    let cancel = async {
        if at_work {
            behind.cancel().await;
        }
    };
    let farewell = async {
        crate::opening::farewell(client, words.as_deref().unwrap_or_default()).await;
    };
    tokio::join!(cancel, ways.take_leave(server), farewell);
}
