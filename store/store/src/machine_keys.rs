//! What the site knows of a machine's keys: which generation it is at, and whether two use one key (C04).
//!
//! A machine beats: each beat has a number above the last one and a word of its own, and both are on the machine's
//! disk before it is sent. So a beat whose answer was lost comes again as it was, and that is all that may come twice.
//! Two machines with one key cannot keep this up: whoever beats second sends a number that was used with another word.

use async_trait::async_trait;
use cs_ids::{ClientId, TenantId};
use cs_time::Timestamp;

use crate::{AuditRecord, Credential, StoreError};

/// Replaced keys remembered: whoever still signs with one is a copy.
pub const REPLACED_MAX: usize = 8;

/// The state of one machine's keys. A machine that has never beaten is at generation 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineKeys {
    pub tenant: TenantId,
    pub client: ClientId,
    pub generation: i64,
    /// Of the last beat; `None` before the first, and after a release: then the next beat is believed.
    pub counter: Option<i64>,
    pub nonce: String,
    pub beat: Option<Timestamp>,
    /// Thumbprint of the key that was offered and not used yet.
    pub offered: Option<String>,
    /// Newest last.
    pub replaced: Vec<ReplacedKey>,
    pub quarantined: Option<(Timestamp, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplacedKey {
    pub thumbprint: String,
    /// The public key, a JWK as JSON.
    pub material: Vec<u8>,
    pub at: Timestamp,
}

/// One beat of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// Thumbprint of the key that signed it.
    pub key: String,
    pub counter: i64,
    pub nonce: String,
    pub at: Timestamp,
}

/// What became of a beat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beaten {
    Accepted {
        generation: i64,
    },
    /// Two use one key: from now on the machine is quarantined.
    Forked {
        generation: i64,
    },
    /// It was before.
    Quarantined {
        why: String,
    },
}

impl MachineKeys {
    pub fn new(tenant: TenantId, client: ClientId) -> Self {
        Self {
            tenant,
            client,
            generation: 1,
            counter: None,
            nonce: String::new(),
            beat: None,
            offered: None,
            replaced: Vec::new(),
            quarantined: None,
        }
    }

    /// Whether a beat can be of the machine that sent the last one. One that is ahead is: the site may have been put
    /// back to an older copy of its database. A copy of the machine never is ahead of it.
    pub fn takes(&self, beat: &Beat) -> bool {
        match self.counter {
            None => true,
            Some(last) => beat.counter > last || beat.counter == last && beat.nonce == self.nonce,
        }
    }

    /// The machine has used the key that it offered: what it had before is replaced.
    pub fn move_on(&mut self, before: Vec<ReplacedKey>) {
        self.generation += 1;
        self.offered = None;
        self.replaced.extend(before);
        let too_many = self.replaced.len().saturating_sub(REPLACED_MAX);
        self.replaced.drain(..too_many);
    }
}

#[async_trait]
pub trait MachineKeyRing: Send + Sync {
    /// `None` for a machine that never beat and never offered a key.
    async fn machine_keys(
        &self,
        tenant: TenantId,
        client: ClientId,
    ) -> Result<Option<MachineKeys>, StoreError>;

    /// Takes a beat. One signed by the offered key makes that the machine's only one (`rotated` is then
    /// recorded); one that cannot be of the same machine quarantines it: its identity is disabled, its resource says
    /// so, and `forked` is recorded, all in this transaction.
    async fn beat(
        &self,
        tenant: TenantId,
        client: ClientId,
        beat: Beat,
        rotated: AuditRecord,
        forked: AuditRecord,
    ) -> Result<Beaten, StoreError>;

    /// Adds a key beside the machine's own; another that was offered before and never used goes. The same key again
    /// changes nothing.
    ///
    /// # Errors
    /// `Conflict` while the machine is quarantined.
    async fn offer_key(&self, key: Credential, audit: AuditRecord) -> Result<(), StoreError>;

    /// Quarantines a machine for a reason that no beat showed. `false` when it was before.
    async fn quarantine(
        &self,
        tenant: TenantId,
        client: ClientId,
        why: String,
        audit: AuditRecord,
    ) -> Result<bool, StoreError>;

    /// Ends a quarantine: the identity is enabled, and the next beat is believed, whoever sends it, and keys
    /// that were replaced before are forgotten. `false` when there was none.
    async fn release(
        &self,
        tenant: TenantId,
        client: ClientId,
        audit: AuditRecord,
    ) -> Result<bool, StoreError>;
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(counter: Option<i64>, nonce: &str) -> MachineKeys {
        let ids = (TenantId::new(Uuid::from_u128(1)), ClientId::new(Uuid::from_u128(2)));
        MachineKeys { counter, nonce: nonce.into(), ..MachineKeys::new(ids.0, ids.1) }
    }

    fn beat(counter: i64, nonce: &str) -> Beat {
        Beat { key: "k".into(), counter, nonce: nonce.into(), at: Timestamp::default() }
    }

    #[test]
    fn c04_only_the_same_beat_may_come_twice() {
        let known = at(Some(7), "a");
        assert!(known.takes(&beat(8, "b")), "the next one");
        assert!(known.takes(&beat(7, "a")), "its answer was lost");
        assert!(known.takes(&beat(90, "z")), "the site was put back to an older copy");
        assert!(!known.takes(&beat(7, "b")), "another machine at the same number");
        assert!(!known.takes(&beat(6, "a")), "a machine that was copied earlier");
        assert!(at(None, "").takes(&beat(1, "x")), "the first, and the first after a release");
    }

    #[test]
    fn replaced_keys_are_few() {
        let mut keys = at(None, "");
        for n in 0..20 {
            let key = ReplacedKey { thumbprint: n.to_string(), material: vec![], at: Timestamp::default() };
            keys.move_on(vec![key]);
        }
        assert_eq!((keys.generation, keys.replaced.len()), (21, REPLACED_MAX));
        assert_eq!(keys.replaced.last().map(|k| k.thumbprint.as_str()), Some("19"));
    }
}
