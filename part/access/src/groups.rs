//! Who is in which group, also through groups.

use std::collections::{HashMap, HashSet};

use cs_ids::ObjectId;
use cs_store::Membership;

/// Groups that are followed for one caller; no directory nests so many for a reason.
const FOLLOWED_MAX: usize = 1000;

/// The memberships of a tenant, from member to groups.
#[derive(Debug, Default)]
pub(crate) struct Groups(HashMap<ObjectId, Vec<ObjectId>>);

impl Groups {
    pub fn apply(&mut self, changed: &[Membership]) {
        for change in changed {
            let groups = self.0.entry(change.member).or_default();
            groups.retain(|g| *g != change.group);
            if !change.deleted {
                groups.push(change.group);
            }
            if groups.is_empty() {
                self.0.remove(&change.member);
            }
        }
    }

    /// All groups of somebody. Cycles end, since each group is followed once. Costs nothing for whoever is in none.
    pub fn of(&self, who: ObjectId) -> Vec<ObjectId> {
        let Some(direct) = self.0.get(&who) else { return Vec::new() };
        let mut found = direct.clone();
        let mut seen: HashSet<ObjectId> = direct.iter().copied().collect();
        let mut at = 0;
        while at < found.len() && found.len() < FOLLOWED_MAX {
            for group in self.0.get(&found[at]).into_iter().flatten() {
                if seen.insert(*group) {
                    found.push(*group);
                }
            }
            at += 1;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn id(n: u128) -> ObjectId {
        ObjectId::new(Uuid::from_u128(n))
    }

    fn member(member: u128, group: u128, deleted: bool) -> Membership {
        Membership { group: id(group), member: id(member), deleted }
    }

    #[test]
    fn nesting_is_followed_and_cycles_end() {
        let mut groups = Groups::default();
        groups.apply(&[
            member(1, 10, false),
            member(10, 11, false),
            member(11, 10, false),
            member(2, 11, false),
        ]);
        assert_eq!(groups.of(id(1)), [id(10), id(11)]);
        assert_eq!(groups.of(id(2)), [id(11), id(10)]);
        assert!(groups.of(id(3)).is_empty());
        groups.apply(&[member(10, 11, true), member(1, 10, false)]);
        assert_eq!(groups.of(id(1)), [id(10)], "told twice is there once");
        groups.apply(&[member(1, 10, true)]);
        assert!(groups.of(id(1)).is_empty() && !groups.0.contains_key(&id(1)));
    }
}
