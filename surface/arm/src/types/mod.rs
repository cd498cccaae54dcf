//! One folder a type: its rows and what is behind them.

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

pub(crate) mod accounts;
pub(crate) mod activity;
pub(crate) mod denies;
pub(crate) mod deployments;
pub(crate) mod groups;
pub(crate) mod identities;
pub(crate) mod locks;
pub(crate) mod machines;
pub(crate) mod management;
pub(crate) mod moves;
pub(crate) mod providers;
pub(crate) mod resources;
pub(crate) mod roles;
pub(crate) mod servers;
pub(crate) mod subscriptions;
pub(crate) mod tags;
pub(crate) mod vaults;
