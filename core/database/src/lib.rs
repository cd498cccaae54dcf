//! Database servers and who may log in to them as which role: plain data and pure functions.
//!
//! A [`ServerSettings`] says where a server's PostgreSQL stands and how sessions there behave. A [`Rule`] gives a
//! principal a role; [`find_rule`] decides. The object id counts, never a name: names are chosen by people and used
//! again, the name only picks the role (postgres.md 2).

mod role;
mod rule;
mod settings;

pub use role::{BadRoleName, RoleName};
pub use rule::{NoRule, Rule, RuleKind, find_rule};
pub use settings::{Backend, BadSetting, ServerSettings};

/// The type of servers.
pub const SERVERS: &str = "Microsoft.DBforPostgreSQL/flexibleServers";
/// The type of rules, children of a server; a rule is named by the object id it is for.
pub const ADMINISTRATORS: &str = "Microsoft.DBforPostgreSQL/flexibleServers/administrators";
/// The member of a server's `properties` that holds the certificate (PEM) of the authority whose client certificates
/// the server's PostgreSQL must trust.
pub const CLIENT_AUTHORITY: &str = "clientCertificateAuthority";
