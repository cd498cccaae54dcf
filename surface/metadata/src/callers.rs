//! Who asked for a token: logged for each request, and decided by the policy where there is one.
//!
//! Without a policy this is for the log, and what is known of a connection is good for a second (`looks.rs`). A policy
//! asks the kernel each time, and one that looks at processes remembers nothing.

use std::sync::Arc;

use cs_broker::{Caller, Identity, Policy, PolicyFile, Process, Wish};
use cs_time::Timestamp;
use http::StatusCode;

use crate::{
    Service,
    looks::{Connection, Looks, Seen},
    owner,
    pace::Pace,
    processes,
    said::{Asked, Log},
    service::Ask,
    token::Refusal,
};

/// Names callers, and lets in whom the policy lets in.
pub struct Callers {
    policy: Option<PolicyFile>,
    looks: Looks,
    log: Log,
    /// Whichever listener they come to.
    attested: Pace,
}

impl Default for Callers {
    fn default() -> Self {
        Self::new(None)
    }
}

impl Callers {
    /// With a policy; without one everybody is let in, and named.
    pub fn new(policy: Option<PolicyFile>) -> Self {
        let attested = Pace::of_attested_documents();
        Self { policy, looks: Looks::default(), log: Log::default(), attested }
    }

    /// Writes what was counted: to be called every few seconds.
    pub fn flush(&self, now: Timestamp) {
        self.log.flush(now);
    }

    /// The user at a connection's other end; for bounds of how much one user may have, not for decisions.
    pub(crate) fn user(&self, connection: Option<Connection>, now: Timestamp) -> Option<u32> {
        self.looks.user(connection, now)
    }

    /// How fast each user has attested documents.
    pub(crate) fn attested(&self) -> &Pace {
        &self.attested
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
            if Log::is_on() {
                let seen = self.looks.holder(ask.connection, now).await;
                self.say(seen, (source, chosen, resource), now);
            }
            return Ok(());
        };
        let policy = file.now().map_err(|why| {
            tracing::error!(target: "callers", why, "nobody gets a token");
            let text = "This machine's policy of callers cannot be read, so nobody gets a token: see the agent's log";
            Refusal::new(StatusCode::FORBIDDEN, "forbidden", text)
        })?;
        let (caller, seen) = self.caller(ask.connection, &policy, now).await;
        let wish = Wish { source, identity: chosen, resource };
        if let Err(refused) = policy.decide(&caller, &wish) {
            let (rule, who, identity) = (refused.rule, refused.who, chosen.client);
            tracing::warn!(target: "callers", rule, who, source, %identity, resource, "a token was refused");
            let text = format!(
                "Rule '{rule}' of this machine's policy refuses {who} a token of identity {identity} for {resource}"
            );
            return Err(Refusal::new(StatusCode::FORBIDDEN, "forbidden", text));
        }
        self.say(seen, (source, chosen, resource), now);
        Ok(())
    }

    /// For a decision, what the kernel says now; and for the log, which may be told later. Where users alone decide, the
    /// process only names who was refused.
    async fn caller(
        &self,
        connection: Option<Connection>,
        policy: &Policy,
        now: Timestamp,
    ) -> (Caller, Seen) {
        let Some(owner) = connection.and_then(|c| owner::of(c.ends)) else { return Default::default() };
        let socket_user = Some(owner.user);
        if policy.needs_processes() {
            let all = tokio::task::spawn_blocking(move || processes::holding(owner.inode)).await;
            let processes = all.unwrap_or_default();
            let process = Arc::new(processes.first().cloned().unwrap_or_default());
            return (Caller { socket_user, processes }, Seen { user: socket_user, process, later: None });
        }
        let seen = self.looks.holder(connection, now).await;
        let known = seen.process.pid.is_some() && seen.process.user == socket_user;
        let processes = known.then(|| Process::clone(&seen.process)).into_iter().collect();
        (Caller { socket_user, processes }, seen)
    }

    /// The line of a request, now or when its look has ended.
    fn say(&self, seen: Seen, (source, chosen, resource): (&'static str, &Identity, &str), now: Timestamp) {
        let (user, identity) = (seen.user, chosen.client);
        let Some(later) = seen.later else {
            self.log.say(Asked { user, source, identity, resource }, &seen.process, now);
            return;
        };
        let (log, resource) = (self.log.clone(), resource.to_owned());
        tokio::spawn(async move {
            let process = later.await.unwrap_or_default();
            log.say(Asked { user, source, identity, resource: &resource }, &process, now);
        });
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
    use std::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn a_look_that_ends_after_the_answer_is_written_then() {
        let text = Arc::new(Mutex::new(Vec::new()));
        let writer = Arc::clone(&text);
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || To(Arc::clone(&writer)));
        let _guard = tracing::subscriber::set_default(subscriber.finish());
        let (to, later) = tokio::sync::oneshot::channel();
        let identity = Identity {
            client: cs_ids::ClientId::new(uuid::Uuid::from_u128(1)),
            object: cs_ids::ObjectId::new(uuid::Uuid::from_u128(2)),
            resource: String::new(),
            system_assigned: true,
        };
        let seen = Seen { user: Some(7), process: Arc::default(), later: Some(later) };
        Callers::default().say(
            seen,
            ("himds", &identity, "https://x"),
            Timestamp::from_seconds(1_800_000_000),
        );
        assert!(text.lock().unwrap().is_empty());
        to.send(Arc::new(Process { pid: Some(4711), ..Process::default() })).unwrap();
        while text.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        let written = String::from_utf8(text.lock().unwrap().clone()).unwrap();
        assert!(written.contains("pid 4711") && written.contains("uid=7"), "{written}");
    }

    struct To(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for To {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
}
