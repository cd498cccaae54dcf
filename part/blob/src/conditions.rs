//! Conditional requests (blob.md 5, Conditions).

use cs_store::{BlobExpect, BlobRow, LeaseKey};
use cs_time::Timestamp;

use crate::BlobError;

/// What a request demands of what is there. ETags without quotes; `*` is anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    pub if_match: Option<String>,
    pub if_none_match: Option<String>,
    pub if_modified_since: Option<Timestamp>,
    pub if_unmodified_since: Option<Timestamp>,
    /// The id of the lease the caller holds, folded.
    pub lease: Option<String>,
}

/// How a read goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Go,
    NotModified,
    Failed,
}

impl Conditions {
    /// Whether anything is demanded of the state that is there.
    pub(crate) fn any(&self) -> bool {
        self.if_match.is_some()
            || self.if_none_match.is_some()
            || self.if_modified_since.is_some()
            || self.if_unmodified_since.is_some()
    }

    /// Whether a read of this blob goes on.
    pub fn on_read(&self, etag: &str, modified: Timestamp) -> Verdict {
        if self.if_match.as_deref().is_some_and(|m| m != "*" && m != etag)
            || self.if_unmodified_since.is_some_and(|t| modified > t)
        {
            return Verdict::Failed;
        }
        if self.if_none_match.as_deref().is_some_and(|m| m == "*" || m == etag)
            || self.if_modified_since.is_some_and(|t| modified <= t)
        {
            return Verdict::NotModified;
        }
        Verdict::Go
    }

    /// Whether the lease a read shows is that of the blob; it need not show one.
    ///
    /// # Errors
    /// [`BlobError::Leased`].
    pub fn shown_lease_fits(&self, blob: &BlobRow, at: Timestamp) -> Result<(), BlobError> {
        let key = LeaseKey { id: self.lease.clone(), at };
        key.fits(blob.lease.as_ref()).map_err(BlobError::Leased)
    }

    /// Whether a write over what is there goes on, and what it must then still find.
    pub fn on_write(&self, there: Option<&BlobRow>) -> Result<BlobExpect, BlobError> {
        match there {
            None if self.if_match.is_some() => Err(BlobError::ConditionNotMet),
            None if self.any() => Ok(BlobExpect::Absent),
            None => Ok(BlobExpect::Any),
            Some(_) if self.if_none_match.as_deref() == Some("*") => Err(BlobError::BlobExists),
            Some(blob) => match self.on_read(&blob.etag, blob.modified) {
                Verdict::Go if self.any() => Ok(BlobExpect::Etag(blob.etag.clone())),
                Verdict::Go => Ok(BlobExpect::Any),
                Verdict::NotModified | Verdict::Failed => Err(BlobError::ConditionNotMet),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads() {
        let at = Timestamp::from_seconds;
        let with = |f: fn(&mut Conditions)| {
            let mut c = Conditions::default();
            f(&mut c);
            c.on_read("0x8", at(100))
        };
        assert_eq!(with(|_| {}), Verdict::Go);
        assert_eq!(with(|c| c.if_none_match = Some("0x8".into())), Verdict::NotModified);
        assert_eq!(with(|c| c.if_match = Some("0x9".into())), Verdict::Failed);
        assert_eq!(with(|c| c.if_modified_since = Some(Timestamp::from_seconds(100))), Verdict::NotModified);
        assert_eq!(with(|c| c.if_unmodified_since = Some(Timestamp::from_seconds(99))), Verdict::Failed);
    }

    #[test]
    fn f12_writes() {
        let star = Conditions { if_none_match: Some("*".into()), ..Conditions::default() };
        assert_eq!(star.on_write(None).unwrap(), BlobExpect::Absent);
        let stale = Conditions { if_match: Some("0x8".into()), ..Conditions::default() };
        assert!(matches!(stale.on_write(None), Err(BlobError::ConditionNotMet)));
    }
}
