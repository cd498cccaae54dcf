//! What one principal holds.

use std::sync::Arc;

use crate::{
    AssignmentId,
    ancestry::{Ancestry, ByScope},
    condition::Guard,
};

/// A role assignment as the snapshot keeps it, without its holder. Scope texts are shared.
#[derive(Debug)]
pub(crate) struct Grant {
    pub id: AssignmentId,
    pub scope: Arc<str>,
    pub hash: u64,
    /// Index into the snapshot's roles, so that a changed definition is one write.
    pub role: u32,
    pub condition: Option<Arc<Guard>>,
}

/// Up to this many grants are faster to pass over than to look up.
const FEW_MAX: usize = 16;

/// Most principals hold a handful; a deployment's group may hold one per resource.
#[derive(Debug)]
pub(crate) enum Grants {
    Few(Vec<Grant>),
    Many(ByScope<Vec<Grant>>),
}

impl Grants {
    pub(crate) fn new() -> Self {
        Self::Few(Vec::new())
    }

    pub(crate) fn insert(&mut self, grant: Grant) {
        match self {
            Self::Few(few) if few.len() < FEW_MAX => push_tight(few, grant),
            Self::Few(few) => {
                let mut many: ByScope<Vec<Grant>> = ByScope::default();
                for old in std::mem::take(few).into_iter().chain([grant]) {
                    push_tight(many.entry(old.hash).or_default(), old);
                }
                *self = Self::Many(many);
            }
            Self::Many(many) => push_tight(many.entry(grant.hash).or_default(), grant),
        }
    }

    /// Takes the grant out. `hash` is that of its scope.
    pub(crate) fn remove(&mut self, id: AssignmentId, hash: u64) -> Option<Grant> {
        match self {
            Self::Few(few) => take(few, id),
            Self::Many(many) => {
                let bucket = many.get_mut(&hash)?;
                let grant = take(bucket, id);
                if bucket.is_empty() {
                    many.remove(&hash);
                }
                grant
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Few(few) => few.is_empty(),
            Self::Many(many) => many.is_empty(),
        }
    }

    /// The first answer that `look` gives for a grant on the line.
    pub(crate) fn find_over<'g, R>(
        &'g self,
        line: &Ancestry<'_>,
        mut look: impl FnMut(&'g Grant) -> Option<R>,
    ) -> Option<R> {
        match self {
            Self::Few(few) => few.iter().filter(|g| line.has(g.hash, &g.scope)).find_map(look),
            Self::Many(many) => line.steps().iter().find_map(|step| {
                many.get(&step.hash)?.iter().filter(|g| *g.scope == *step.key).find_map(&mut look)
            }),
        }
    }

    pub(crate) fn any(&self, test: impl FnMut(&Grant) -> bool) -> bool {
        match self {
            Self::Few(few) => few.iter().any(test),
            Self::Many(many) => many.values().flatten().any(test),
        }
    }
}

/// A million principals with one grant each should not pay for four.
fn push_tight(list: &mut Vec<Grant>, grant: Grant) {
    if list.len() < 4 {
        list.reserve_exact(1);
    }
    list.push(grant);
}

fn take(list: &mut Vec<Grant>, id: AssignmentId) -> Option<Grant> {
    let at = list.iter().position(|g| g.id == id)?;
    Some(list.swap_remove(at))
}
