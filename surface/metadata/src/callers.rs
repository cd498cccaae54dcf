//! Who asked for a token: logged for each request, and decided by the policy where there is one.
//!
//! The kernel is asked for the socket's user each time, which costs a few microseconds. Who holds the socket takes a
//! look at every process, so it is remembered for each connection, and looked for away from the thread that answers.
//! With a policy that looks at processes nothing is remembered.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use cs_broker::{Caller, Identity, Policy, PolicyFile, Process, Wish};
use cs_time::Timestamp;
use http::StatusCode;

use crate::{
    Service,
    owner::{self, Owner},
    processes,
    service::Ask,
    token::Refusal,
};

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
    known: Mutex<HashMap<u64, Holder>>,
    said: Mutex<Said>,
}

/// Who held a socket when it was looked for, and what the kernel then called its program.
#[derive(Clone)]
struct Holder {
    process: Arc<Process>,
    program: Option<PathBuf>,
}

/// One line of the log.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Line {
    user: Option<u32>,
    process: Arc<Process>,
    source: &'static str,
    identity: String,
    resource: String,
}

#[derive(Default)]
struct Said {
    since: i64,
    /// How often each was asked since it was written.
    again: HashMap<Line, u64>,
}

impl Callers {
    /// With a policy; without one everybody is let in, and named.
    pub fn new(policy: Option<PolicyFile>) -> Self {
        Self { policy, ..Self::default() }
    }

    /// Writes what was counted: to be called every few seconds.
    pub fn flush(&self, now: Timestamp) {
        let counted = self.said.lock().unwrap_or_else(PoisonError::into_inner).turn(now.micros());
        counted.iter().for_each(|(line, times)| line.write(*times));
    }

    /// Lets a caller have a token of an identity, or says which rule does not.
    pub(crate) async fn admit(
        &self,
        ask: &Ask<'_>,
        chosen: &Identity,
        resource: &str,
    ) -> Result<(), Refusal> {
        let owner = owner::of(ask.ends);
        let source = name(ask.service);
        let policy = match self.policy.as_ref().map(PolicyFile::now) {
            None => None,
            Some(Ok(policy)) => Some(policy),
            Some(Err(why)) => {
                tracing::error!(target: "callers", why, "nobody gets a token");
                let text = "This machine's policy of callers cannot be read, so nobody gets a token: see the agent's log";
                return Err(Refusal::new(StatusCode::FORBIDDEN, "forbidden", text));
            }
        };
        let caller = self.caller(owner, policy.as_deref()).await;
        let line = Line {
            user: caller.socket_user,
            process: caller.processes.first().cloned().map_or_else(Arc::default, Arc::new),
            source,
            identity: chosen.client.to_string(),
            resource: resource.to_owned(),
        };
        if let Some(policy) = policy {
            let wish = Wish { source, identity: chosen, resource };
            if let Err(refused) = policy.decide(&caller, &wish) {
                tracing::warn!(target: "callers", rule = refused.rule, who = refused.who, source,
                    identity = line.identity, resource, "a token was refused");
                let text = format!(
                    "Rule '{}' of this machine's policy refuses {} a token of identity {} for {resource}",
                    refused.rule, refused.who, line.identity
                );
                return Err(Refusal::new(StatusCode::FORBIDDEN, "forbidden", text));
            }
        }
        self.say(line, ask.machine.clock.now());
        Ok(())
    }

    async fn caller(&self, owner: Option<Owner>, policy: Option<&Policy>) -> Caller {
        let Some(owner) = owner else { return Caller::default() };
        let socket_user = Some(owner.user);
        if policy.is_some_and(Policy::needs_processes) {
            let all = tokio::task::spawn_blocking(move || processes::holding(owner.inode, false)).await;
            return Caller { socket_user, processes: all.unwrap_or_default() };
        }
        let holder = self.holder(owner).await;
        // Not found is one without a number: it is remembered like the others, and says nothing to a policy.
        let process = holder.pid.map(|_| Process::clone(&holder));
        Caller { socket_user, processes: process.into_iter().collect() }
    }

    async fn holder(&self, owner: Owner) -> Arc<Process> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&owner.inode).cloned();
        if let Some(known) = known {
            // Another program may run in its place by now.
            if known.process.pid.is_none_or(|pid| processes::program_of(pid) == known.program) {
                return known.process;
            }
        }
        let found = tokio::task::spawn_blocking(move || {
            let process = processes::holding(owner.inode, true).into_iter().next().unwrap_or_default();
            let program = process.pid.and_then(processes::program_of);
            Holder { process: Arc::new(process), program }
        });
        let Ok(found) = found.await else { return Arc::default() };
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= KNOWN_MAX {
            all.clear();
        }
        all.insert(owner.inode, found.clone());
        found.process
    }

    fn say(&self, line: Line, now: Timestamp) {
        let (counted, is_new) = {
            let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            let counted = said.turn(now.micros());
            let is_new = said.count(&line);
            (counted, is_new)
        };
        counted.iter().for_each(|(line, times)| line.write(*times));
        if is_new {
            line.write(1);
        }
    }
}

impl Said {
    /// Starts anew when it is time, or when there are too many: what was counted is to be written.
    fn turn(&mut self, now: i64) -> Vec<(Line, u64)> {
        let same = (0..SAME_MICROS).contains(&(now - self.since));
        if same && self.again.len() < LINES_MAX {
            return Vec::new();
        }
        self.since = now;
        self.again.drain().filter(|(_, times)| *times > 0).collect()
    }

    /// Whether it is the first of its kind.
    fn count(&mut self, line: &Line) -> bool {
        match self.again.get_mut(line) {
            Some(times) => {
                *times += 1;
                false
            }
            None => {
                self.again.insert(line.clone(), 0);
                true
            }
        }
    }
}

impl Line {
    fn write(&self, requests: u64) {
        let who = &self.process;
        tracing::info!(target: "callers", requests, uid = self.user, source = self.source, identity = self.identity,
            resource = self.resource, "token for {who}");
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

    fn line(resource: &str) -> Line {
        Line {
            user: Some(1),
            process: Arc::default(),
            source: "himds",
            identity: "i".into(),
            resource: resource.into(),
        }
    }

    #[test]
    fn every_request_is_counted_and_a_busy_program_fills_no_log() {
        let mut said = Said::default();
        assert!(said.turn(5_000_000).is_empty());
        assert!(said.count(&line("a")) && said.count(&line("b")));
        for _ in 0..99 {
            assert!(!said.count(&line("a")));
        }
        assert!(said.turn(5_999_999).is_empty());
        let counted = said.turn(6_000_000);
        assert_eq!(counted.iter().map(|(l, n)| (l.resource.as_str(), *n)).collect::<Vec<_>>(), [("a", 99)]);
        assert!(said.count(&line("a")), "written at once in the next second");
        assert!(said.turn(1).is_empty(), "a clock that was put back starts anew");
        for n in 0..5000 {
            said.turn(2);
            said.count(&line(&n.to_string()));
        }
        assert!(said.again.len() <= LINES_MAX);
    }
}
