//! Records on their way to the log.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use cs_store::{AuditLog, AuditRecord, StoreError};
use tokio::sync::Notify;

/// The longest a record of a sign-in or plain read waits in memory.
pub const GROUP_AT_MOST: Duration = Duration::from_secs(1);

/// A full group is written without waiting out the second: this many rows are one comfortable transaction.
const GROUP_RECORDS: usize = 512;

/// With this many waiting the log is not keeping up (a database that is away): about 32 MiB of records.
const WAITING_MAX: usize = 65_536;

/// The record is not in the log; what it was about must not be answered.
#[derive(Debug, thiserror::Error)]
#[error("writing the audit log")]
pub struct AuditError(#[from] StoreError);

/// The way to the audit log.
pub struct Audit {
    log: Arc<dyn AuditLog>,
    waiting: Mutex<Vec<AuditRecord>>,
    full: Notify,
}

impl Audit {
    pub fn new(log: Arc<dyn AuditLog>) -> Self {
        Self { log, waiting: Mutex::default(), full: Notify::new() }
    }

    /// Durable when this returns.
    ///
    /// # Errors
    /// [`AuditError`]: then do not answer what the record is about.
    pub async fn record(&self, record: AuditRecord) -> Result<(), AuditError> {
        Ok(self.log.append(vec![record]).await?)
    }

    /// All of them durable when this returns, or none.
    ///
    /// # Errors
    /// As [`Audit::record`].
    pub async fn record_all(&self, records: Vec<AuditRecord>) -> Result<(), AuditError> {
        Ok(self.log.append(records).await?)
    }

    /// Written with others, [`GROUP_AT_MOST`] from now at the latest.
    ///
    /// # Errors
    /// [`AuditError`] when the log has not kept up for so long that memory would grow without bound.
    pub fn soon(&self, record: AuditRecord) -> Result<(), AuditError> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= WAITING_MAX {
            let cause = format!("{WAITING_MAX} records wait");
            return Err(AuditError(StoreError::Unavailable { attempt: "queueing an audit record", cause }));
        }
        waiting.push(record);
        if waiting.len() >= GROUP_RECORDS {
            self.full.notify_one();
        }
        Ok(())
    }

    /// Writes groups for as long as it is polled: give it a task of its own.
    pub async fn run(&self) {
        loop {
            // Whichever comes first: the second is over or a group is full.
            let _ = tokio::time::timeout(GROUP_AT_MOST, self.full.notified()).await;
            if let Err(error) = self.flush().await {
                tracing::error!(error = %cause_of(&error), "audit records wait for the database");
            }
        }
    }

    /// Writes everything that waits.
    ///
    /// # Errors
    /// [`AuditError`]: what could not be written waits on.
    pub async fn flush(&self) -> Result<(), AuditError> {
        let group = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        if group.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.log.append(group.clone()).await {
            // Back to the front, so that the log keeps the order of events.
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).splice(0..0, group);
            return Err(error.into());
        }
        Ok(())
    }
}

fn cause_of(error: &AuditError) -> String {
    let AuditError(store) = error;
    store.to_string()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use async_trait::async_trait;
    use cs_ids::{CorrelationId, TenantId};
    use cs_store::{AuditOutcome, AuditQuery};
    use cs_time::{Chance, SeededChance, Timestamp};

    use super::*;

    #[derive(Default)]
    struct Memory {
        rows: Mutex<Vec<AuditRecord>>,
        away: AtomicBool,
        written: Notify,
    }

    #[async_trait]
    impl AuditLog for Memory {
        async fn append(&self, records: Vec<AuditRecord>) -> Result<(), StoreError> {
            if self.away.load(Ordering::SeqCst) {
                return Err(StoreError::Full { attempt: "test" });
            }
            self.rows.lock().unwrap().extend(records);
            self.written.notify_one();
            Ok(())
        }

        async fn numbered(&self, _: TenantId, _: AuditQuery) -> Result<Vec<(i64, AuditRecord)>, StoreError> {
            Ok((0..).zip(self.rows.lock().unwrap().clone()).collect())
        }
    }

    fn record(action: &str) -> AuditRecord {
        let chance = SeededChance::new(1);
        AuditRecord {
            tenant: TenantId::new(chance.uuid()),
            time: Timestamp::default(),
            correlation: CorrelationId::new(chance.uuid()),
            caller: None,
            client: None,
            action: action.to_owned(),
            scope: "/".to_owned(),
            outcome: AuditOutcome::Done,
            because: String::new(),
        }
    }

    #[tokio::test]
    async fn nothing_waiting_is_lost_while_the_log_is_away() {
        let memory = Arc::new(Memory::default());
        let audit = Audit::new(Arc::clone(&memory) as Arc<dyn AuditLog>);
        memory.away.store(true, Ordering::SeqCst);
        audit.soon(record("one")).unwrap();
        assert!(audit.flush().await.is_err());
        assert!(audit.record(record("secret")).await.is_err(), "no audit, no answer");
        audit.soon(record("two")).unwrap();
        memory.away.store(false, Ordering::SeqCst);
        audit.flush().await.unwrap();
        let actions: Vec<String> = memory.rows.lock().unwrap().iter().map(|r| r.action.clone()).collect();
        assert_eq!(actions, ["one", "two"]);
    }

    #[tokio::test(start_paused = true)]
    async fn groups_go_out_within_the_second() {
        let memory = Arc::new(Memory::default());
        let audit = Audit::new(Arc::clone(&memory) as Arc<dyn AuditLog>);
        audit.soon(record("one")).unwrap();
        tokio::select! {
            () = audit.run() => {}
            () = memory.written.notified() => {}
        }
        assert_eq!(memory.rows.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_log_that_never_comes_back_does_not_eat_the_memory() {
        let audit = Audit::new(Arc::new(Memory::default()));
        for _ in 0..WAITING_MAX {
            audit.soon(record("x")).unwrap();
        }
        assert!(audit.soon(record("x")).is_err());
    }
}
