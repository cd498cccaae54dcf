//! What one principal holds.

use std::sync::Arc;

use crate::{
    AssignmentId,
    ancestry::{Ancestry, ByScope, mark_of},
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
    Few(Few),
    Many(ByScope<Vec<Grant>>),
}

/// Grants with a mark for each, which lie where the principal is found: what a question is not about is passed over
/// without a look at the grants themselves, which would be a wait for memory.
#[derive(Debug, Default)]
pub(crate) struct Few {
    marks: [u8; FEW_MAX],
    grants: Vec<Grant>,
}

impl Grants {
    pub(crate) fn new() -> Self {
        Self::Few(Few::default())
    }

    pub(crate) fn insert(&mut self, grant: Grant) {
        match self {
            Self::Few(few) if few.grants.len() < FEW_MAX => few.push(grant),
            Self::Few(few) => {
                let mut many: ByScope<Vec<Grant>> = ByScope::default();
                for old in std::mem::take(&mut few.grants).into_iter().chain([grant]) {
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
            Self::Few(few) => few.take(id),
            Self::Many(many) => {
                let bucket = many.get_mut(&hash)?;
                let grant = position(bucket, id).map(|at| bucket.swap_remove(at));
                if bucket.is_empty() {
                    many.remove(&hash);
                }
                grant
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Few(few) => few.grants.is_empty(),
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
            Self::Few(few) => few.marked(line).filter(|g| line.has(g.hash, &g.scope)).find_map(look),
            Self::Many(many) => line.steps().iter().find_map(|step| {
                many.get(&step.hash)?.iter().filter(|g| *g.scope == *step.key).find_map(&mut look)
            }),
        }
    }

    pub(crate) fn any(&self, test: impl FnMut(&Grant) -> bool) -> bool {
        match self {
            Self::Few(few) => few.grants.iter().any(test),
            Self::Many(many) => many.values().flatten().any(test),
        }
    }
}

impl Few {
    fn push(&mut self, grant: Grant) {
        self.marks[self.grants.len()] = mark_of(grant.hash);
        push_tight(&mut self.grants, grant);
    }

    fn take(&mut self, id: AssignmentId) -> Option<Grant> {
        let at = position(&self.grants, id)?;
        self.marks[at] = self.marks[self.grants.len() - 1];
        Some(self.grants.swap_remove(at))
    }

    /// The grants whose mark is one of the line's.
    fn marked<'g>(&'g self, line: &Ancestry<'_>) -> impl Iterator<Item = &'g Grant> + use<'g> {
        // All marks at once and without a branch for each: which of them fit cannot be foreseen.
        let all = self.marks.iter().rev().fold(0u32, |all, mark| all << 1 | u32::from(line.has_mark(*mark)));
        let mut left = all & ((1 << self.grants.len()) - 1);
        std::iter::from_fn(move || {
            let at = (left != 0).then(|| left.trailing_zeros() as usize)?;
            left &= left - 1;
            self.grants.get(at)
        })
    }
}

/// A million principals with one grant each should not pay for four.
fn push_tight(list: &mut Vec<Grant>, grant: Grant) {
    if list.len() < 4 {
        list.reserve_exact(1);
    }
    list.push(grant);
}

fn position(list: &[Grant], id: AssignmentId) -> Option<usize> {
    list.iter().position(|g| g.id == id)
}
