//! One folder a type: the table of its operations and what is behind them. docs/resource-types.md is made of the
//! tables and says how to add one.

/// A path below a subscription.
macro_rules! s {
    ($rest:literal) => {
        concat!("/subscriptions/{sub}", $rest)
    };
}

/// A path below a resource group.
macro_rules! g {
    ($rest:literal) => {
        concat!("/subscriptions/{sub}/resourceGroups/{group}", $rest)
    };
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
    &providers::operations::TYPE,
    &providers::TYPE,
    &groups::TYPE,
    &deployments::TYPE,
    &resources::TYPE,
    &graph::TYPE,
];
