//! Who asked for a token: logged for each request, and decided by the policy where there is one.
//!
//! Without a policy this is for the log, and who holds a connection is looked at once a second: the kernel is asked for
//! the socket's user, and the holder, which takes a look at every process, is looked for away from the thread that
//! answers. A policy asks the kernel each time, and one that looks at processes remembers nothing.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use cs_broker::{Caller, Identity, Policy, PolicyFile, Process, Wish};
use cs_ids::ClientId;
use cs_time::Timestamp;
use http::StatusCode;

use crate::{
    Service,
    owner::{self, Ends, Owner},
    processes,
    service::Ask,
    token::Refusal,
};

/// Processes that are looked at before all others.
const RECENT_MAX: usize = 16;
/// Connections whose holder is remembered.
const KNOWN_MAX: usize = 4096;
/// Lines that are the same within so many microseconds are written once, with how many there were.
const SAME_MICROS: i64 = 1_000_000;
/// Different lines counted at once.
const LINES_MAX: usize = 1024;

/// Names callers, and lets in whom the policy lets in.
#[derive(Default)]
pub struct Callers {
    policy: Option<PolicyFile>,
    known: Mutex<HashMap<Ends, Holder>>,
    found: tokio::sync::Mutex<Found>,
    said: Mutex<Said>,
}

/// What looks at processes have found.
#[derive(Default)]
struct Found {
    /// By the kernel's number of a socket: the other sockets of processes that were found.
    siblings: HashMap<u64, Holder>,
    /// The processes, the last one first: whoever has asked asks again, over new connections too.
    recent: VecDeque<u32>,
}

/// Who held a socket when it was looked for, and what the kernel then called its program.
#[derive(Clone)]
struct Holder {
    owner: Owner,
    looked_micros: i64,
    process: Arc<Process>,
    program: Option<PathBuf>,
}

/// One line of the log.
#[derive(Clone, Copy, Hash)]
struct Asked<'a> {
    user: Option<u32>,
    pid: Option<u32>,
    source: &'static str,
    identity: ClientId,
    resource: &'a str,
}

/// A line that is counted.
struct Counted {
    user: Option<u32>,
    process: Arc<Process>,
    source: &'static str,
    identity: ClientId,
    resource: String,
    /// How often it was asked since it was written.
    again: u64,
}

#[derive(Default)]
struct Said {
    since: i64,
    keys: RandomState,
    /// By the hash of what was asked: a line that is the same is found without being written out.
    lines: HashMap<u64, Counted>,
}

impl Callers {
    /// With a policy; without one everybody is let in, and named.
    pub fn new(policy: Option<PolicyFile>) -> Self {
        Self { policy, ..Self::default() }
    }

    /// Writes what was counted: to be called every few seconds.
    pub fn flush(&self, now: Timestamp) {
        let counted = self.said.lock().unwrap_or_else(PoisonError::into_inner).turn(now.micros());
        counted.iter().for_each(|line| line.write(line.again));
    }

    /// Lets a caller have a token of an identity, or says which rule does not.
    pub(crate) async fn admit(
        &self,
        ask: &Ask<'_>,
        chosen: &Identity,
        resource: &str,
    ) -> Result<(), Refusal> {
        let (now, source) = (ask.machine.clock.now(), name(ask.service));
        let Some(file) = &self.policy else {
            let (user, process) = self.holder(ask.ends, now).await;
            self.say((user, &process), (source, chosen, resource), now);
            return Ok(());
        };
        let policy = file.now().map_err(|why| {
            tracing::error!(target: "callers", why, "nobody gets a token");
            let text = "This machine's policy of callers cannot be read, so nobody gets a token: see the agent's log";
            Refusal::new(StatusCode::FORBIDDEN, "forbidden", text)
        })?;
        let caller = self.caller(ask.ends, &policy, now).await;
        let wish = Wish { source, identity: chosen, resource };
        if let Err(refused) = policy.decide(&caller, &wish) {
            let (rule, who, identity) = (refused.rule, refused.who, chosen.client);
            tracing::warn!(target: "callers", rule, who, source, %identity, resource, "a token was refused");
            let text = format!(
                "Rule '{rule}' of this machine's policy refuses {who} a token of identity {identity} for {resource}"
            );
            return Err(Refusal::new(StatusCode::FORBIDDEN, "forbidden", text));
        }
        let first = caller.processes.into_iter().next().unwrap_or_default();
        self.say((caller.socket_user, &Arc::new(first)), (source, chosen, resource), now);
        Ok(())
    }

    /// For a decision: what is remembered is only for the log.
    async fn caller(&self, ends: Option<Ends>, policy: &Policy, now: Timestamp) -> Caller {
        let Some(owner) = owner::of(ends) else { return Caller::default() };
        let socket_user = Some(owner.user);
        if policy.needs_processes() {
            let all = tokio::task::spawn_blocking(move || processes::holding(owner.inode)).await;
            return Caller { socket_user, processes: all.unwrap_or_default() };
        }
        let (_, process) = self.holder(ends, now).await;
        // Also one whose user is not the socket's: the policy sees both, and doubts.
        let known = process.pid.is_some();
        Caller { socket_user, processes: known.then(|| Process::clone(&process)).into_iter().collect() }
    }

    /// The socket's user and the process that holds it, as they were within the last second.
    async fn holder(&self, ends: Option<Ends>, now: Timestamp) -> (Option<u32>, Arc<Process>) {
        let Some(connection) = ends else { return (None, Arc::default()) };
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&connection).cloned();
        let now = now.micros();
        if let Some(known) = known.as_ref().filter(|k| (0..SAME_MICROS).contains(&(now - k.looked_micros))) {
            return (Some(known.owner.user), Arc::clone(&known.process));
        }
        let Some(owner) = owner::of(ends) else { return (None, Arc::default()) };
        let found = match known.filter(|k| k.owner == owner && k.is_same_program()) {
            Some(known) => Holder { looked_micros: now, ..known },
            None => self.look(owner, now).await,
        };
        let process = Arc::clone(&found.process);
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= KNOWN_MAX {
            all.clear();
        }
        all.insert(connection, found);
        (Some(owner.user), process)
    }

    /// One look at a time, and what it finds is good for all sockets of the process: a program that opens hundreds of
    /// connections at once is looked at once.
    async fn look(&self, owner: Owner, now: i64) -> Holder {
        let mut all = self.found.lock().await;
        if let Some(known) = all.siblings.get(&owner.inode).filter(|k| k.is_same_program()) {
            return Holder { owner, looked_micros: now, ..known.clone() };
        }
        let recent: Vec<u32> = all.recent.iter().copied().collect();
        let looked = tokio::task::spawn_blocking(move || {
            let found = Holder::find(owner, now, &recent);
            let sockets = found.process.pid.map(processes::sockets_of).unwrap_or_default();
            (found, sockets)
        });
        let Ok((found, sockets)) = looked.await else { return Holder::unknown(owner, now) };
        all.keep(&found, sockets);
        found
    }

    fn say(
        &self,
        (user, process): (Option<u32>, &Arc<Process>),
        (source, chosen, resource): (&'static str, &Identity, &str),
        now: Timestamp,
    ) {
        let asked = Asked { user, pid: process.pid, source, identity: chosen.client, resource };
        let (counted, is_new) = {
            let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            (said.turn(now.micros()), said.count(asked, process))
        };
        counted.iter().for_each(|line| line.write(line.again));
        if is_new {
            Counted::new(asked, process).write(1);
        }
    }
}

impl Found {
    fn keep(&mut self, found: &Holder, sockets: Vec<u64>) {
        if self.siblings.len() + sockets.len() > KNOWN_MAX {
            self.siblings.clear();
        }
        self.siblings.extend(sockets.into_iter().map(|inode| (inode, found.clone())));
        let Some(pid) = found.process.pid else { return };
        self.recent.retain(|known| *known != pid);
        self.recent.push_front(pid);
        self.recent.truncate(RECENT_MAX);
    }
}

impl Holder {
    /// One that is not found is remembered too: an agent that may not see others' processes looks once.
    fn find(owner: Owner, looked_micros: i64, recent: &[u32]) -> Self {
        let process = processes::first_holding(owner.inode, recent).unwrap_or_default();
        let program = process.pid.and_then(processes::program_of);
        Self { owner, looked_micros, process: Arc::new(process), program }
    }

    fn unknown(owner: Owner, looked_micros: i64) -> Self {
        Self { owner, looked_micros, process: Arc::default(), program: None }
    }

    /// Another program may run in its place by now.
    fn is_same_program(&self) -> bool {
        self.process.pid.is_none_or(|pid| processes::program_of(pid) == self.program)
    }
}

impl Said {
    /// Starts anew when it is time, or when there are too many: what was counted is to be written.
    fn turn(&mut self, now: i64) -> Vec<Counted> {
        let same = (0..SAME_MICROS).contains(&(now - self.since));
        if same && self.lines.len() < LINES_MAX {
            return Vec::new();
        }
        self.since = now;
        self.lines.drain().map(|(_, line)| line).filter(|line| line.again > 0).collect()
    }

    /// Whether it is the first of its kind.
    fn count(&mut self, asked: Asked<'_>, process: &Arc<Process>) -> bool {
        let key = self.keys.hash_one(asked);
        match self.lines.get_mut(&key) {
            Some(line) => {
                line.again += 1;
                false
            }
            None => {
                self.lines.insert(key, Counted::new(asked, process));
                true
            }
        }
    }
}

impl Counted {
    fn new(asked: Asked<'_>, process: &Arc<Process>) -> Self {
        Self {
            user: asked.user,
            process: Arc::clone(process),
            source: asked.source,
            identity: asked.identity,
            resource: asked.resource.to_owned(),
            again: 0,
        }
    }

    fn write(&self, requests: u64) {
        let who = &self.process;
        tracing::info!(target: "callers", requests, uid = self.user, source = self.source,
            identity = %self.identity, resource = self.resource, "token for {who}");
    }
}

/// As policies write it.
fn name(service: Service) -> &'static str {
    match service {
        Service::Himds => "himds",
        Service::Imds => "imds",
        Service::AppService => "app-service",
        Service::CloudShell => "cloud-shell",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_counted_and_a_busy_program_fills_no_log() {
        let process = Arc::default();
        let identity = ClientId::new(uuid::Uuid::from_u128(1));
        let of = |resource| Asked { user: Some(1), pid: Some(2), source: "himds", identity, resource };
        let mut said = Said::default();
        assert!(said.turn(5_000_000).is_empty());
        assert!(said.count(of("a"), &process) && said.count(of("b"), &process));
        for _ in 0..99 {
            assert!(!said.count(of("a"), &process));
        }
        assert!(said.turn(5_999_999).is_empty());
        let counted = said.turn(6_000_000);
        assert_eq!(counted.iter().map(|l| (l.resource.as_str(), l.again)).collect::<Vec<_>>(), [("a", 99)]);
        assert!(said.count(of("a"), &process), "written at once in the next second");
        assert!(said.turn(1).is_empty(), "a clock that was put back starts anew");
        for n in 0..5000 {
            said.turn(2);
            let resource = n.to_string();
            said.count(Asked { resource: &resource, ..of("") }, &process);
        }
        assert!(said.lines.len() <= LINES_MAX);
    }
}
