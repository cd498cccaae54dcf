//! A part of a list over scopes.

/// Where a part of a list begins and how much it holds. Such lists are in the order of scopes, folded, and then of names:
/// what lies above a scope comes before it, and what is below after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The place of the last one of the part before.
    pub after: Option<Place>,
    /// At most so many.
    pub limit: u32,
}

/// Folded scope and folded name of what a list holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub scope: String,
    pub name: String,
}

impl Part {
    /// All at once: for lists that are short by rule, and for whoever copies everything.
    pub const WHOLE: Self = Self { after: None, limit: u32::MAX };
}
