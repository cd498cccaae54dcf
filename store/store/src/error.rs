//! What can go wrong between a part and its rows.

/// An error of a store. Parts translate it into their own language; its text is for the log, not for callers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Something with this key is there already (unique index, host name taken).
    #[error("{0} exists already")]
    Exists(String),
    /// The row is not in the state the write expected (generation, condition): somebody else won.
    #[error("{0} was changed by somebody else")]
    Conflict(String),
    /// The row the write needs is not there.
    #[error("{0} is not there")]
    Missing(String),
    /// Somebody holds a lease on the row, or the caller's is not the one.
    #[error(transparent)]
    Leased(#[from] crate::LeaseRefusal),
    /// The database cannot be reached or refuses to work; nothing was changed.
    #[error("{attempt}: {cause}")]
    Unavailable { attempt: &'static str, cause: String },
    /// The disk or the database is full; nothing was changed.
    #[error("{attempt}: no space left")]
    Full { attempt: &'static str },
    /// The database cannot take a text of the caller's: PostgreSQL none with a NUL in it, and none of a few thousand bytes where
    /// it is looked for by. Nothing was changed, and the same again will be refused again.
    #[error("{attempt}: {cause}")]
    Unstorable { attempt: &'static str, cause: String },
    /// A stored value cannot be read as what it should be.
    #[error("stored {what} is damaged: {cause}")]
    Damaged { what: &'static str, cause: String },
}

impl StoreError {
    /// Whether the caller's own text is the reason, so that trying again is no use.
    pub fn is_unstorable(&self) -> bool {
        matches!(self, Self::Unstorable { .. })
    }
}
