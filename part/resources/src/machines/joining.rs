//! Join tokens: how a machine is connected by somebody who holds no credential of the site.
//!
//! Whoever may make machines in a group makes a token for it; whoever holds the token makes one machine there, once,
//! within the token's life, and nothing else. The token is a capability of its maker: it stops with the maker's own
//! right. Only the hash of its secret is kept, and the machine's row is written in the transaction that spends it (C01).

use aws_lc_rs::{constant_time, digest};
use cs_ids::{MachineName, ResourceId, TenantId};
use cs_rbac::{Allowed, Caller, Operation};
use cs_store::{AuditRecord, Expect, JoinToken, JoinUse, Resource, ResourceWrite, StoreError};
use cs_time::Timestamp;
use serde_json::Map;
use uuid::Uuid;

use super::{MACHINES, READ_ONLY, connected, identity_of, public_key};
use crate::{
    Input, Manager, ResourceError, input, tags,
    write::{Shape, location_of},
};

/// Every join token begins with this, so that scanners for leaked secrets know one.
const PREFIX: &str = "csj1_";
const SECRET_BYTES: usize = 32;
/// A token lives at most this long, in seconds: thirty days.
pub const JOIN_LIFE_MAX_SECONDS: i64 = 30 * 86_400;
const LIFE_MIN_SECONDS: i64 = 60;
/// Used and run out tokens are listed this long, in seconds.
const LISTED_SECONDS: i64 = 7 * 86_400;

/// What a token's text says: where to look for it, and what proves it.
pub struct JoinText {
    pub tenant: TenantId,
    id: String,
    secret: Vec<u8>,
}

impl std::fmt::Debug for JoinText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "JoinText({}, redacted)", self.id)
    }
}

impl JoinText {
    /// Reads `csj1_…`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = cs_jose::decode_url(text.trim().strip_prefix(PREFIX)?)?;
        let (tenant, rest) = bytes.split_first_chunk::<16>()?;
        let (id, secret) = rest.split_first_chunk::<16>()?;
        (secret.len() == SECRET_BYTES).then(|| Self {
            tenant: TenantId::new(Uuid::from_bytes(*tenant)),
            id: Uuid::from_bytes(*id).to_string(),
            secret: secret.to_vec(),
        })
    }

    fn write(tenant: TenantId, id: Uuid, secret: &[u8]) -> String {
        let bytes = [tenant.uuid().as_bytes().as_slice(), id.as_bytes(), secret].concat();
        format!("{PREFIX}{}", cs_jose::encode_url(bytes))
    }

    fn hash(&self) -> Vec<u8> {
        digest::digest(&digest::SHA256, &self.secret).as_ref().to_vec()
    }
}

impl Manager {
    /// Makes a token for machines of a group; answers its row and its text, which is kept nowhere.
    ///
    /// # Errors
    /// [`ResourceError::NoGroup`], [`ResourceError::Invalid`] for a life out of bounds, [`ResourceError::BadTags`].
    pub async fn make_join_token(
        &self,
        op: &Operation,
        allowed: &Allowed,
        group: &ResourceId,
        tags: Vec<(String, String)>,
        seconds: i64,
    ) -> Result<(JoinToken, String), ResourceError> {
        let group = self.group_of(op, group).await?.id;
        tags::check(&tags, tags::NAME_MAX_CHARS)?;
        if !(LIFE_MIN_SECONDS..=JOIN_LIFE_MAX_SECONDS).contains(&seconds) {
            return Err(ResourceError::invalid("expiresInSeconds", "must be from 60 seconds to 30 days"));
        }
        let (tenant, id) = (op.caller.tenant, self.at.chance.uuid());
        let mut secret = [0; SECRET_BYTES];
        self.at.chance.fill(&mut secret);
        let text = JoinText::write(tenant, id, &secret);
        let token = JoinToken {
            tenant,
            id: id.to_string(),
            group,
            hash: digest::digest(&digest::SHA256, &secret).as_ref().to_vec(),
            tags,
            created: op.started,
            created_by: op.caller.object,
            created_by_client: op.caller.client,
            expires: op.started.plus_seconds(seconds),
            used: None,
        };
        let record = AuditRecord {
            because: format!("join token {id}; {}", allowed.because()),
            ..AuditRecord::done(op, allowed)
        };
        self.at
            .joining
            .add_join_token(token.clone(), op.started.plus_seconds(-LISTED_SECONDS), record)
            .await?;
        Ok((token, text))
    }

    pub async fn join_tokens(
        &self,
        op: &Operation,
        group: &ResourceId,
    ) -> Result<Vec<JoinToken>, ResourceError> {
        let group = self.group_of(op, group).await?.id;
        Ok(self.at.joining.join_tokens(op.caller.tenant, group).await?)
    }

    /// Takes a token back. `false` when the group has none of that id.
    pub async fn revoke_join_token(
        &self,
        op: &Operation,
        allowed: &Allowed,
        group: &ResourceId,
        id: &str,
    ) -> Result<bool, ResourceError> {
        let record = AuditRecord {
            because: format!("join token {}; {}", id.chars().take(64).collect::<String>(), allowed.because()),
            ..AuditRecord::done(op, allowed)
        };
        let group = self.group_of(op, group).await?.id;
        Ok(self.at.joining.remove_join_token(op.caller.tenant, group, id.to_owned(), record).await?)
    }

    /// The token that a text proves, unless it has run out. Used ones come too: see [`Manager::join`].
    ///
    /// # Errors
    /// [`ResourceError::JoinTokenUnknown`] without a word on what is wrong, [`ResourceError::JoinTokenExpired`] to
    /// whoever knows its secret.
    pub async fn join_token(&self, text: &JoinText, now: Timestamp) -> Result<JoinToken, ResourceError> {
        let found = self.at.joining.join_token(text.tenant, text.id.clone()).await?;
        // One that is not there costs the same comparison as one whose secret is wrong.
        let kept = found.as_ref().map_or_else(|| vec![0; 32], |t| t.hash.clone());
        let right = constant_time::verify_slices_are_equal(&kept, &text.hash()).is_ok();
        let token = found.filter(|_| right).ok_or(ResourceError::JoinTokenUnknown)?;
        if token.used.is_none() && token.expires <= now {
            return Err(ResourceError::JoinTokenExpired(token.expires));
        }
        Ok(token)
    }

    /// Who made a token: what it allows is decided as if they asked.
    pub fn maker_of(token: &JoinToken) -> Caller {
        Caller {
            tenant: token.tenant,
            object: token.created_by,
            client: token.created_by_client,
            issuer: String::new(),
        }
    }

    /// Connects the machine that a token is spent for. Asked again with the same key, as after a lost answer, it
    /// tells the machine that was made.
    ///
    /// # Errors
    /// [`ResourceError::JoinTokenUsed`], [`ResourceError::OtherMachineKey`] when the name is taken, and as
    /// [`Manager::put_machine`].
    pub async fn join(
        &self,
        op: &Operation,
        allowed: &Allowed,
        token: &JoinToken,
        (name, new): (&MachineName, Input),
    ) -> Result<Resource, ResourceError> {
        let missing = || ResourceError::invalid("clientPublicKey", "is required of a machine that joins");
        let key = public_key(&new.properties)?.ok_or_else(missing)?;
        let (namespace, kind) = MACHINES.split_once('/').unwrap_or_default();
        let group = (token.group.subscription(), token.group.name());
        let id = ResourceId::of_resource(group.0, group.1, namespace, kind, name.as_str());
        if let Some(used) = &token.used {
            return self.joined_before(op, used, &key.thumbprint()).await;
        }
        let identity = self.identity(op, &id, Some(&key));
        let given = input::without_read_only(new.properties, READ_ONLY);
        let tags = with_tags(new.tags.unwrap_or_default(), &token.tags);
        tags::check(&tags, tags::NAME_MAX_CHARS)?;
        let location = input::location(new.location.as_deref())?;
        let mut extra = input::extra(new.extra);
        extra.insert("identity".to_owned(), identity_of(&identity.principal));
        let shape = Shape {
            location: location_of(&id, None, location.as_deref())?,
            tags,
            extra,
            properties: connected(&given, op.started, &identity.principal),
        };
        let resource = self.resource(op, (&id, MACHINES), None, shape);
        let used = JoinUse { at: op.started, machine: id.to_string(), key: key.thumbprint() };
        let record = AuditRecord {
            scope: id.to_string(),
            because: format!("join token {}; {}", token.id, allowed.because()),
            ..AuditRecord::done(op, allowed)
        };
        let write = ResourceWrite { resource, expect: Expect::Absent, host: None, principal: Some(identity) };
        match self.at.joining.join(token.id.clone(), used, write, record).await {
            Ok(made) => Ok(made),
            Err(StoreError::Conflict(_)) => self.lost_the_race(op, token, &key.thumbprint()).await,
            Err(StoreError::Exists(_)) => Err(ResourceError::OtherMachineKey),
            Err(StoreError::Missing(_)) => Err(ResourceError::NoGroup(group.1.to_owned())),
            Err(other) => Err(other.into()),
        }
    }

    /// Somebody spent it since we looked: perhaps our own request, sent twice.
    async fn lost_the_race(
        &self,
        op: &Operation,
        token: &JoinToken,
        key: &str,
    ) -> Result<Resource, ResourceError> {
        let now = self.at.joining.join_token(token.tenant, token.id.clone()).await?;
        match now.and_then(|t| t.used) {
            Some(used) => self.joined_before(op, &used, key).await,
            None => Err(ResourceError::JoinTokenUnknown),
        }
    }

    async fn joined_before(
        &self,
        op: &Operation,
        used: &JoinUse,
        key: &str,
    ) -> Result<Resource, ResourceError> {
        let id = ResourceId::parse(&used.machine).ok().filter(|_| used.key == key);
        let id = id.ok_or(ResourceError::JoinTokenUsed(used.at))?;
        let found = self.at.resources.resource(op.caller.tenant, id).await?;
        // A machine that was removed since is not made again by a token that was spent.
        let same = |r: &Resource| {
            let properties = r.properties.as_object().cloned().unwrap_or_else(Map::new);
            public_key(&properties).ok().flatten().is_some_and(|k| k.thumbprint() == key)
        };
        found.filter(same).ok_or(ResourceError::JoinTokenUsed(used.at))
    }
}

/// The token's tags over the machine's own.
fn with_tags(own: Vec<(String, String)>, fixed: &[(String, String)]) -> Vec<(String, String)> {
    let is_fixed = |name: &str| fixed.iter().any(|(f, _)| f.eq_ignore_ascii_case(name));
    let mut all: Vec<_> = own.into_iter().filter(|(name, _)| !is_fixed(name)).collect();
    all.extend_from_slice(fixed);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_as_written_and_nothing_else_is() {
        let (tenant, id) = (TenantId::new(Uuid::from_u128(1)), Uuid::from_u128(2));
        let text = JoinText::write(tenant, id, &[9; SECRET_BYTES]);
        let read = JoinText::parse(&format!(" {text}\n")).unwrap();
        assert_eq!((read.tenant, read.id.as_str(), read.secret.len()), (tenant, id.to_string().as_str(), 32));
        assert!(!format!("{read:?}").contains("CQkJ"), "its secret is not shown");
        let longer = format!("{text}AAAA");
        for bad in ["", "csj1_", "csj1_AAAA", &text[5..], &text[..text.len() - 2], &longer, "csj1_é"] {
            assert!(JoinText::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_tokens_tags_win() {
        let pair = |n: &str, v: &str| (n.to_owned(), v.to_owned());
        let all = with_tags(vec![pair("Site", "mine"), pair("a", "b")], &[pair("site", "plant-1")]);
        assert_eq!(all, [pair("a", "b"), pair("site", "plant-1")]);
    }
}
