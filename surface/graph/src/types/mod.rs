//! One file a type: its rows and what is behind them.

pub(crate) mod applications;
pub(crate) mod batch;
pub(crate) mod credentials;
pub(crate) mod groups;
pub(crate) mod me;
pub(crate) mod objects;
pub(crate) mod service_principals;
pub(crate) mod users;
