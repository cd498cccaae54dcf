//! A scope and everything above it, hashed once per question.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::Arc,
};

use cs_ids::Scope;

/// Management groups over subscriptions and each other: folded child key to folded parent key. They cover what is
/// below them by this table, not by text (rbac.md 4).
#[derive(Debug, Default)]
pub(crate) struct Parents(HashMap<Box<str>, Arc<str>>);

/// Azure nests management groups six deep; a longer chain (a cycle, in bad data) ends here.
const MANAGEMENT_DEPTH_MAX: usize = 16;

impl Parents {
    pub(crate) fn set(&mut self, child: &Scope, parent: Option<&Scope>) {
        match parent {
            Some(parent) => self.0.insert(child.key().into(), parent.key().into()),
            None => self.0.remove(child.key()),
        };
    }

    fn above<'a>(&'a self, key: &str) -> Option<&'a str> {
        if self.0.is_empty() { None } else { self.0.get(key).map(|p| &**p) }
    }
}

/// One scope of the line from the scope asked about up to the root.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step<'a> {
    pub hash: u64,
    pub key: &'a str,
}

/// The line itself. Grants hold the hash of their scope, so most are passed over by one byte of it; a match
/// is confirmed by text, because names are chosen by callers and the hash is not a secret.
#[derive(Debug)]
pub(crate) struct Ancestry<'a> {
    steps: Vec<Step<'a>>,
    /// A bit for each mark a step has: a scope whose mark is not here is not on the line.
    marks: [u64; 4],
}

impl<'a> Ancestry<'a> {
    pub(crate) fn of(key: &'a str, parents: &'a Parents) -> Self {
        let mut steps = Vec::with_capacity(16);
        let mut managed = None;
        walk(key, |step, depth| {
            steps.push(step);
            // `/subscriptions/{id}` or `/providers/microsoft.management/managementgroups/{name}`.
            if depth == 2 || depth == 4 {
                managed = managed.or_else(|| parents.above(step.key));
            }
        });
        for _ in 0..MANAGEMENT_DEPTH_MAX {
            let Some(group) = managed else { break };
            steps.push(Step { hash: hash_of(group), key: group });
            managed = parents.above(group);
        }
        let mut marks = [0; 4];
        for step in &steps {
            let mark = mark_of(step.hash);
            marks[usize::from(mark >> 6)] |= 1 << (mark & 63);
        }
        Self { steps, marks }
    }

    pub(crate) fn steps(&self) -> &[Step<'a>] {
        &self.steps
    }

    pub(crate) fn has(&self, hash: u64, key: &str) -> bool {
        self.steps.iter().any(|s| s.hash == hash && s.key == key)
    }

    pub(crate) fn has_mark(&self, mark: u8) -> bool {
        self.marks[usize::from(mark >> 6)] >> (mark & 63) & 1 == 1
    }
}

/// The top of a hash; the tables use its other end.
pub(crate) fn mark_of(hash: u64) -> u8 {
    (hash >> 56) as u8
}

/// The hash under which a scope is found.
pub(crate) fn hash_of(key: &str) -> u64 {
    let mut last = 0;
    walk(key, |step, _| last = step.hash);
    last
}

/// Visits the root, then each longer prefix that ends at a segment border.
fn walk<'a>(key: &'a str, mut visit: impl FnMut(Step<'a>, usize)) {
    let mut hash = 0x9e37_79b9_7f4a_7c15;
    visit(Step { hash, key: "/" }, 0);
    let (mut start, mut depth) = (0, 0);
    while start + 1 < key.len() {
        let end = key[start + 1..].find('/').map_or(key.len(), |at| start + 1 + at);
        hash = mix(hash, &key.as_bytes()[start..end]);
        depth += 1;
        visit(Step { hash, key: &key[..end] }, depth);
        start = end;
    }
}

fn mix(hash: u64, segment: &[u8]) -> u64 {
    let fold = |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    let (words, rest) = segment.as_chunks::<8>();
    let hash = words.iter().fold(hash, |hash, word| fold(hash, u64::from_le_bytes(*word)));
    let rest = rest.iter().fold(segment.len() as u64, |word, b| word << 8 | u64::from(*b));
    let hash = fold(hash, rest);
    // A table takes its place from the low bits, which multiplying alone leaves poor.
    hash ^ hash >> 32
}

/// For tables keyed by the hash of a scope: it is mixed already.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct AsIs(u64);

impl Hasher for AsIs {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = mix(self.0, bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A table by the hash of a scope.
pub(crate) type ByScope<T> = HashMap<u64, T, BuildHasherDefault<AsIs>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_goes_up_by_whole_segments() {
        let none = Parents::default();
        let line = Ancestry::of("/subscriptions/s/resourcegroups/lab2", &none);
        let keys: Vec<_> = line.steps().iter().map(|s| s.key).collect();
        assert_eq!(
            keys,
            [
                "/",
                "/subscriptions",
                "/subscriptions/s",
                "/subscriptions/s/resourcegroups",
                "/subscriptions/s/resourcegroups/lab2"
            ]
        );
        for key in keys {
            assert!(line.has(hash_of(key), key));
        }
        assert!(
            !line.has(hash_of("/subscriptions/s/resourcegroups/lab"), "/subscriptions/s/resourcegroups/lab")
        );
        assert_eq!(Ancestry::of("/", &none).steps().len(), 1);
    }

    #[test]
    fn management_groups_come_from_the_table_and_cycles_end() {
        let scope = |text: &str| Scope::parse(text).unwrap();
        let mut parents = Parents::default();
        let (one, two) = ("/providers/M/managementGroups/one", "/providers/M/managementGroups/two");
        parents.set(&scope("/subscriptions/s"), Some(&scope(one)));
        parents.set(&scope(one), Some(&scope(two)));
        parents.set(&scope(two), Some(&scope(one)));
        let line = Ancestry::of("/subscriptions/s/resourcegroups/lab", &parents);
        let two = two.to_lowercase();
        assert!(line.has(hash_of(&two), &two));
        assert!(line.steps().len() < 40);
        let other = Ancestry::of("/subscriptions/t", &parents);
        assert!(!other.has(hash_of(&two), &two));
    }
}
