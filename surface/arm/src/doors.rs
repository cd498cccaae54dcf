//! What a table of operations is made of, and finding the row of a request.

use cs_ids::Scope;
use cs_serve::{Door, Doors, Found, Needs, Params, Paths, Query};

use crate::{asked::Asked, call::Handler, failure::Failure, types};

/// A resource type: the table of its operations, and what clients and docs are told of it.
pub(crate) struct Type {
    /// `Microsoft.KeyVault/vaults`.
    pub name: &'static str,
    /// A sentence for docs/resource-types.md.
    pub about: &'static str,
    /// Newest first: az takes the newest that is no preview. Others of the form are answered like these (arm.md 1.1).
    pub versions: &'static [&'static str],
    pub rows: &'static [Door<Op>],
}

/// What a row runs.
pub struct Op {
    pub(crate) run: Handler,
    pub(crate) body: Body,
    pub(crate) also: Also,
}

/// What a row reads of the body. A handler gets nothing else: see [`crate::call::Call`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    Nothing,
    /// The envelope of all resources: `location`, `tags`, `properties` and what a type has beside them.
    Resource,
    /// Another document, called by what it is.
    Json(&'static str),
}

/// What authorisation of a row looks at beside the action and scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Also {
    Nothing,
    /// The machine at the path may do it to itself.
    OwnMachine,
    /// Conditions see the assignment in the body.
    AssignsRole,
    /// Conditions see the assignment at the path.
    UnassignsRole,
}

/// A row that needs an action.
pub(crate) const fn door(
    method: &'static str,
    path: &'static str,
    body: Body,
    action: &'static str,
    run: Handler,
) -> Door<Op> {
    let op = Op { run, body, also: Also::Nothing };
    Door { method, path, query: "", needs: Needs::Action(action), op }
}

/// A row that needs no more than a token; `why` says who decides what is shown.
pub(crate) const fn open_door(
    method: &'static str,
    path: &'static str,
    body: Body,
    why: &'static str,
    run: Handler,
) -> Door<Op> {
    let op = Op { run, body, also: Also::Nothing };
    Door { method, path, query: "", needs: Needs::Token(why), op }
}

/// The same row with more to look at.
pub(crate) const fn also(door: Door<Op>, also: Also) -> Door<Op> {
    let Op { run, body, .. } = door.op;
    Door {
        method: door.method,
        path: door.path,
        query: door.query,
        needs: door.needs,
        op: Op { run, body, also },
    }
}

/// One row of one table, for the docs and for the tests that knock on every door.
pub struct Entry {
    pub kind: &'static str,
    pub about: &'static str,
    pub versions: &'static [&'static str],
    pub method: &'static str,
    pub path: &'static str,
    pub body: Body,
    pub needs: Needs,
}

/// Every row of every type.
pub fn entries() -> impl Iterator<Item = Entry> {
    types::ALL.iter().flat_map(|kind| {
        kind.rows.iter().map(|row| Entry {
            kind: kind.name,
            about: kind.about,
            versions: kind.versions,
            method: row.method,
            path: row.path,
            body: row.op.body,
            needs: row.needs,
        })
    })
}

/// What machines do to themselves at the token service, and what it does to them; no door of this surface.
pub(crate) const OF_MACHINES: [&str; 2] = [
    "Microsoft.HybridCompute/machines/rotateKey/action",
    "Microsoft.HybridCompute/machines/quarantine/action",
];

/// Whether an action is one of the activity log's, and changes something.
pub(crate) fn changes(action: &str) -> bool {
    OF_MACHINES.iter().any(|known| known.eq_ignore_ascii_case(action))
        || !action.ends_with("/read")
            && entries()
                .any(|e| matches!(e.needs, Needs::Action(known) if known.eq_ignore_ascii_case(action)))
}

pub(crate) struct Way {
    pub kind: &'static Type,
    pub door: &'static Door<Op>,
    pub params: Params,
}

impl Way {
    /// What is asked there, before its scope is read.
    pub fn asked(self, query: Query, path: String) -> Asked {
        let Self { kind, door, params } = self;
        Asked { kind, door, params, query, path, scope: Scope::root(), resource: None }
    }
}

pub(crate) struct Tables(Doors<Op>);

impl Tables {
    pub fn new() -> Self {
        Self(Doors::joined(types::ALL.iter().flat_map(|kind| kind.rows), Paths::Lenient))
    }

    pub fn find(&self, method: &str, path: &str, query: &Query) -> Result<Way, Failure> {
        match self.0.find(method, path, query) {
            Found::Door(door, params) => Ok(Way { kind: type_of(door)?, door, params }),
            Found::OtherMethods(methods) => Err(Failure::other_methods(&methods)),
            Found::Nowhere => Err(Failure::no_type(path, query)),
        }
    }
}

/// The type whose table holds this very row.
fn type_of(door: &'static Door<Op>) -> Result<&'static Type, Failure> {
    let holds = |kind: &&&Type| kind.rows.as_ptr_range().contains(&std::ptr::from_ref(door));
    types::ALL.iter().find(holds).copied().ok_or_else(|| Failure::internal("a door belongs to no table"))
}
