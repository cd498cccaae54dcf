//! The tables of all types, and finding the door of a request.

use cs_serve::{Door, Doors, Found, Needs, Params, Paths, Query};

use crate::{call::Handler, failure::Failure, types};

/// What a row runs.
pub struct Op(pub(crate) Handler);

const READ: Needs = Needs::Token("any principal of a tenant may read its directory (arm.md 5.3)");
const WRITE: Needs =
    Needs::Token("administrators of the directory and owners of the object: the handler asks");

/// A row that reads.
pub(crate) const fn read(method: &'static str, path: &'static str, run: Handler) -> Door<Op> {
    Door { method, path, query: "", needs: READ, op: Op(run) }
}

/// A row that changes something.
pub(crate) const fn write(method: &'static str, path: &'static str, run: Handler) -> Door<Op> {
    Door { method, path, query: "", needs: WRITE, op: Op(run) }
}

const ALL: &[&[Door<Op>]] = &[
    types::batch::DOORS,
    types::me::DOORS,
    types::applications::DOORS,
    types::service_principals::DOORS,
    types::users::DOORS,
    types::groups::DOORS,
    types::objects::DOORS,
];

/// Every row: method, path, and whether it changes something, for the tests that knock on each.
pub fn doors() -> impl Iterator<Item = (&'static str, &'static str, bool)> {
    ALL.iter().flat_map(|table| table.iter()).map(|d| (d.method, d.path, d.needs == WRITE))
}

pub(crate) struct Tables(Vec<Doors<Op>>);

impl Tables {
    pub fn new() -> Self {
        Self(ALL.iter().map(|table| Doors::new(table, Paths::Lenient)).collect())
    }

    pub fn find(&self, method: &str, path: &str, query: &Query) -> Result<(Handler, Params), Failure> {
        let mut others = Vec::new();
        for table in &self.0 {
            match table.find(method, path, query) {
                Found::Door(door, params) => return Ok((door.op.0, params)),
                Found::OtherMethods(methods) => others.extend(methods),
                Found::Nowhere => {}
            }
        }
        Err(if others.is_empty() { Failure::nowhere(path) } else { Failure::OtherMethods(others) })
    }
}
