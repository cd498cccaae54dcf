//! All a tenant's assignments, arranged for asking.
//!
//! Kept in memory by whoever decides, behind a read-write lock: a question borrows it, a change is one delta and
//! never a rebuild. Loading order is free: an assignment of a role not yet known grants nothing until it is.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use cs_ids::{ObjectId, Scope};

use crate::{
    AssignmentId, Permission, RoleDefinition, RoleId, Subject,
    ancestry::{Ancestry, ByScope, Parents, hash_of},
    builtin::builtin_roles,
    condition::Guard,
    grants::{Grant, Grants},
    hash::Keyed,
};

/// A role assignment, as it is stored.
#[derive(Debug, Clone)]
pub struct Assignment {
    pub id: AssignmentId,
    pub principal: ObjectId,
    pub role: RoleId,
    pub scope: Scope,
    /// Version 2.0 text. One that does not parse never grants.
    pub condition: Option<String>,
}

/// A deny assignment, as it is stored. One whose effect is `audit` does not belong in a snapshot.
#[derive(Debug, Clone)]
pub struct DenyAssignment {
    pub id: AssignmentId,
    pub scope: Scope,
    /// `doNotApplyToChildScopes`: forbids at exactly its scope.
    pub only_here: bool,
    /// The nil id is everybody.
    pub principals: Vec<ObjectId>,
    pub excluded: Vec<ObjectId>,
    pub permissions: Vec<Permission>,
    /// One that does not parse forbids without regard to it.
    pub condition: Option<String>,
}

/// A role that somebody holds over a scope.
#[derive(Debug, Clone)]
pub struct HeldRole<'a> {
    pub id: AssignmentId,
    pub role: &'a Arc<RoleDefinition>,
    pub condition: Option<&'a str>,
}

/// As many as a processor has under way at once; most callers are in fewer groups.
const LOOKED_UP_AT_ONCE: usize = 8;

/// Deny assignments with their condition read.
#[derive(Debug)]
pub(crate) struct Deny {
    pub what: DenyAssignment,
    pub condition: Option<Guard>,
}

/// The assignments of one tenant. Under 200 bytes for each (measured with a million), plus each
/// distinct scope once.
#[derive(Debug)]
pub struct Snapshot {
    holders: HashMap<ObjectId, Grants, Keyed>,
    /// Where an assignment is, for taking it out by its id alone.
    places: HashMap<AssignmentId, (ObjectId, u64), Keyed>,
    scopes: HashSet<Arc<str>>,
    roles: Vec<Option<Arc<RoleDefinition>>>,
    role_places: HashMap<RoleId, u32>,
    denies: ByScope<Vec<Deny>>,
    parents: Parents,
}

impl Default for Snapshot {
    fn default() -> Self {
        Self::new()
    }
}

impl Snapshot {
    /// No assignments; the built-in roles are known.
    pub fn new() -> Self {
        let mut new = Self {
            holders: HashMap::default(),
            places: HashMap::default(),
            scopes: HashSet::new(),
            roles: Vec::new(),
            role_places: HashMap::new(),
            denies: ByScope::default(),
            parents: Parents::default(),
        };
        for role in builtin_roles() {
            new.insert_role(Arc::clone(role));
        }
        new
    }

    /// How many role assignments there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Adds or replaces a role definition; assignments of it follow at once.
    pub fn insert_role(&mut self, role: Arc<RoleDefinition>) {
        let place = self.role_place(role.id);
        if let Some(slot) = self.roles.get_mut(place as usize) {
            *slot = Some(role);
        }
    }

    /// Forgets a role definition; what is still assigned of it grants nothing.
    pub fn remove_role(&mut self, id: &RoleId) {
        if let Some(slot) = self.role_places.get(id).and_then(|at| self.roles.get_mut(*at as usize)) {
            *slot = None;
        }
    }

    /// A role definition, built in or custom.
    pub fn role(&self, id: &RoleId) -> Option<&Arc<RoleDefinition>> {
        self.role_at(*self.role_places.get(id)?)
    }

    /// Adds an assignment, or replaces the one with its id.
    pub fn insert_assignment(&mut self, new: Assignment) {
        self.remove_assignment(new.id);
        let scope = self.shared(new.scope.key());
        let grant = Grant {
            id: new.id,
            hash: hash_of(&scope),
            role: self.role_place(new.role),
            condition: new.condition.as_deref().map(|text| Arc::new(Guard::read(text))),
            scope,
        };
        self.places.insert(new.id, (new.principal, grant.hash));
        self.holders.entry(new.principal).or_insert_with(Grants::new).insert(grant);
    }

    /// Takes an assignment out; whether it was there.
    pub fn remove_assignment(&mut self, id: AssignmentId) -> bool {
        let Some((holder, hash)) = self.places.remove(&id) else { return false };
        let Some(grants) = self.holders.get_mut(&holder) else { return false };
        let grant = grants.remove(id, hash);
        if grants.is_empty() {
            self.holders.remove(&holder);
        }
        // Ours and the table's: nobody else holds the text any more.
        if let Some(grant) = grant.filter(|g| Arc::strong_count(&g.scope) == 2) {
            self.scopes.remove(&grant.scope);
        }
        true
    }

    /// Adds a deny assignment, or replaces the one with its id.
    pub fn insert_deny(&mut self, new: DenyAssignment) {
        self.remove_deny(new.id);
        let condition = new.condition.as_deref().map(Guard::read);
        self.denies.entry(hash_of(new.scope.key())).or_default().push(Deny { what: new, condition });
    }

    /// Takes a deny assignment out; whether it was there.
    pub fn remove_deny(&mut self, id: AssignmentId) -> bool {
        let mut found = false;
        self.denies.retain(|_, list| {
            list.retain(|d| d.what.id != id || std::mem::replace(&mut found, true));
            !list.is_empty()
        });
        found
    }

    /// Puts a subscription or management group under a management group, or (`None`) under the root alone.
    pub fn set_parent(&mut self, child: &Scope, parent: Option<&Scope>) {
        self.parents.set(child, parent);
    }

    /// The roles that hold at `scope` for somebody, conditions not yet asked: what lists of effective permissions
    /// are made of.
    pub fn roles_over<'a>(&'a self, who: &Subject, scope: &Scope) -> Vec<HeldRole<'a>> {
        let line = self.line(scope);
        let mut held = Vec::new();
        for (_, grants) in self.grants_of(who) {
            grants.find_over(&line, |grant| {
                let condition = grant.condition.as_ref().map(|c| &**c.shared_text());
                held.extend(self.role_at(grant.role).map(|role| HeldRole { id: grant.id, role, condition }));
                None::<()>
            });
        }
        held
    }

    /// Whether somebody holds any role at, above or below `scope`: then lists of subscriptions and resource groups
    /// show it. Says nothing about what may be done there.
    pub fn is_visible(&self, who: &Subject, scope: &Scope) -> bool {
        let line = self.line(scope);
        self.grants_of(who).any(|(_, grants)| {
            grants.any(|g| line.has(g.hash, &g.scope) || self.is_below(&g.scope, scope.key()))
        })
    }

    fn is_below(&self, below: &str, above: &str) -> bool {
        let by_text = below.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        by_text
            || above == "/"
            || above.starts_with("/providers/") && {
                Ancestry::of(below, &self.parents).has(hash_of(above), above)
            }
    }

    pub(crate) fn line<'a>(&'a self, scope: &'a Scope) -> Ancestry<'a> {
        Ancestry::of(scope.key(), &self.parents)
    }

    /// What somebody and its groups hold. They are looked up some at a time before anything of it is looked into:
    /// in a large tenant every lookup waits for memory, and so they wait together.
    pub(crate) fn grants_of<'a, 'w>(
        &'a self,
        who: &'w Subject,
    ) -> impl Iterator<Item = (ObjectId, &'a Grants)> + use<'a, 'w> {
        let mut ids = who.ids();
        let next_few = move || {
            let mut held = [None; LOOKED_UP_AT_ONCE];
            let mut asked = 0;
            for (slot, id) in held.iter_mut().zip(ids.by_ref()) {
                *slot = self.holders.get(&id).map(|grants| (id, grants));
                asked += 1;
            }
            (asked > 0).then_some(held)
        };
        std::iter::from_fn(next_few).flatten().flatten()
    }

    pub(crate) fn role_at(&self, place: u32) -> Option<&Arc<RoleDefinition>> {
        self.roles.get(place as usize)?.as_ref()
    }

    pub(crate) fn denies_over<'a>(&'a self, line: &Ancestry<'_>) -> impl Iterator<Item = &'a Deny> {
        let steps = if self.denies.is_empty() { &[] } else { line.steps() };
        steps.iter().flat_map(|step| {
            self.denies.get(&step.hash).into_iter().flatten().filter(|d| d.what.scope.key() == step.key)
        })
    }

    fn shared(&mut self, key: &str) -> Arc<str> {
        if let Some(known) = self.scopes.get(key) {
            return Arc::clone(known);
        }
        let new: Arc<str> = key.into();
        self.scopes.insert(Arc::clone(&new));
        new
    }

    fn role_place(&mut self, id: RoleId) -> u32 {
        let roles = &mut self.roles;
        *self.role_places.entry(id).or_insert_with(|| {
            roles.push(None);
            // Tenants have at most 5000 custom roles; a table past u32 is out of memory first.
            u32::try_from(roles.len() - 1).unwrap_or(u32::MAX)
        })
    }
}
