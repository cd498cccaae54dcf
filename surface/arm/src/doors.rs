//! The tables of all types, and finding the door of a request.

use cs_serve::{Door, Doors, Found, Needs, Params, Paths, Query};

use crate::{call::Handler, failure::Failure, types};

/// What a row runs.
pub struct Op {
    pub(crate) run: Handler,
    pub(crate) also: Also,
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
    action: &'static str,
    run: Handler,
) -> Door<Op> {
    Door { method, path, query: "", needs: Needs::Action(action), op: Op { run, also: Also::Nothing } }
}

/// A row that needs no more than a token; `why` says who decides what is shown.
pub(crate) const fn open_door(
    method: &'static str,
    path: &'static str,
    why: &'static str,
    run: Handler,
) -> Door<Op> {
    Door { method, path, query: "", needs: Needs::Token(why), op: Op { run, also: Also::Nothing } }
}

/// The same row with more to look at.
pub(crate) const fn also(door: Door<Op>, also: Also) -> Door<Op> {
    let run = door.op.run;
    Door { method: door.method, path: door.path, query: door.query, needs: door.needs, op: Op { run, also } }
}

const ALL: &[&[Door<Op>]] = &[
    types::subscriptions::DOORS,
    types::tags::DOORS,
    types::machines::DOORS,
    types::identities::DOORS,
    types::vaults::DOORS,
    types::accounts::DOORS,
    types::servers::DOORS,
    types::servers::certificates::DOORS,
    types::accounts::containers::DOORS,
    types::roles::DOORS,
    types::denies::DOORS,
    types::locks::DOORS,
    types::management::DOORS,
    types::activity::DOORS,
    types::providers::DOORS,
    types::groups::DOORS,
    types::moves::DOORS,
    types::deployments::DOORS,
    types::resources::DOORS,
];

/// Every row: method, path and need, for the test that knocks on each.
pub fn doors() -> impl Iterator<Item = (&'static str, &'static str, Needs)> {
    ALL.iter().flat_map(|table| table.iter()).map(|d| (d.method, d.path, d.needs))
}

/// Whether an action is one of this surface's, and changes something.
pub(crate) fn changes(action: &str) -> bool {
    !action.ends_with("/read")
        && ALL
            .iter()
            .flat_map(|table| table.iter())
            .any(|d| matches!(d.needs, Needs::Action(known) if known.eq_ignore_ascii_case(action)))
}

pub(crate) struct Way {
    pub door: &'static Door<Op>,
    pub params: Params,
}

pub(crate) struct Tables(Vec<Doors<Op>>);

impl Tables {
    pub fn new() -> Self {
        Self(ALL.iter().map(|table| Doors::new(table, Paths::Lenient)).collect())
    }

    pub fn find(&self, method: &str, path: &str, query: &Query) -> Result<Way, Failure> {
        let mut others = Vec::new();
        for table in &self.0 {
            match table.find(method, path, query) {
                Found::Door(door, params) => return Ok(Way { door, params }),
                Found::OtherMethods(methods) => others.extend(methods),
                Found::Nowhere => {}
            }
        }
        Err(if others.is_empty() { Failure::no_type(path, query) } else { Failure::other_methods(&others) })
    }
}
