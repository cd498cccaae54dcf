//! One folder a type: the table of its operations and what is behind them. docs/resource-types.md is made of the
//! tables and says how to add one.

/// A path below a subscription.
macro_rules! s {
    ($($rest:literal),+) => {
        concat!("/subscriptions/{sub}", $($rest),+)
    };
}

/// A path below a resource group.
macro_rules! g {
    ($($rest:literal),+) => {
        concat!("/subscriptions/{sub}/resourceGroups/{group}", $($rest),+)
    };
}

/// The rows that every type in a resource group has: its lists, and one resource read, written and removed by the `put`,
/// `patch` and `delete` of its module. `$also` is for its reads; behind them stand the rows it has for itself.
macro_rules! tracked {
    ($kind:literal, $also:expr, [$($own:expr),* $(,)?]) => {{
        use crate::{
            doors::{Also, Body, also, door, open_door},
            types::shared::{LISTED, exists, list, show},
        };
        const IN_SUBSCRIPTION: &str = s!("/providers/", $kind);
        const IN_GROUP: &str = g!("/providers/", $kind);
        const ONE: &str = g!("/providers/", $kind, "/{name}");
        const READ: &str = concat!($kind, "/read");
        const WRITE: &str = concat!($kind, "/write");
        &[
            open_door("GET", IN_SUBSCRIPTION, Body::Nothing, LISTED, |c| Box::pin(list(c))),
            open_door("GET", IN_GROUP, Body::Nothing, LISTED, |c| Box::pin(list(c))),
            also(door("GET", ONE, Body::Nothing, READ, |c| Box::pin(show(c))), $also),
            also(door("HEAD", ONE, Body::Nothing, READ, |c| Box::pin(exists(c))), $also),
            door("PUT", ONE, Body::Resource, WRITE, |c| Box::pin(put(c))),
            door("PATCH", ONE, Body::Resource, WRITE, |c| Box::pin(patch(c))),
            door("DELETE", ONE, Body::Nothing, concat!($kind, "/delete"), |c| Box::pin(delete(c))),
            $($own),*
        ]
    }};
}

/// A path below anything.
macro_rules! at {
    ($rest:literal) => {
        concat!("/{scope*}", $rest)
    };
}

pub(crate) mod accounts;
pub(crate) mod activity;
pub(crate) mod assignments;
pub(crate) mod definitions;
pub(crate) mod denies;
pub(crate) mod deployments;
pub(crate) mod enrolment;
pub(crate) mod graph;
pub(crate) mod groups;
pub(crate) mod identities;
pub(crate) mod locks;
pub(crate) mod machines;
pub(crate) mod management;
pub(crate) mod providers;
pub(crate) mod resources;
pub(crate) mod servers;
pub(crate) mod shared;
pub(crate) mod subscriptions;
pub(crate) mod tags;
pub(crate) mod vaults;

use crate::doors::Type;

/// All types. Where two tables fit one path, the first wins.
pub(crate) static ALL: &[&Type] = &[
    &subscriptions::TYPE,
    &subscriptions::TENANTS,
    &tags::NAMES,
    &tags::TYPE,
    &machines::TYPE,
    &machines::extensions::TYPE,
    &enrolment::TYPE,
    &identities::TYPE,
    &identities::federated::TYPE,
    &identities::OF_RESOURCES,
    &vaults::TYPE,
    &vaults::deleted::TYPE,
    &vaults::secrets::TYPE,
    &accounts::TYPE,
    &accounts::containers::SERVICES,
    &accounts::containers::TYPE,
    &servers::TYPE,
    &servers::administrators::TYPE,
    &assignments::TYPE,
    &definitions::TYPE,
    &denies::TYPE,
    &denies::PERMISSIONS,
    &locks::TYPE,
    &management::TYPE,
    &activity::TYPE,
    &providers::features::TYPE,
    &providers::operations::TYPE,
    &providers::TYPE,
    &groups::TYPE,
    &deployments::TYPE,
    &resources::TYPE,
    &graph::TYPE,
];
