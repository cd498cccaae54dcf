//! Why a connection is refused, and what its client is told: less than the log is (postgres.md 4).

use cs_authority::TokenRefusal;
use cs_database::NoRule;
use cs_wire_postgres::{Malformed, Report};

/// What a token must be for.
const AUDIENCE: &str = "https://ossrdbms-aad.database.windows.net";

#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// No answer: whatever is there speaks another protocol, tries to slip something past TLS, or is gone.
    #[error("closed without a word: {0}")]
    Silent(&'static str),
    #[error("reading or writing")]
    Broken(#[from] std::io::Error),
    #[error("it took too long")]
    Slow,
    #[error("no TLS")]
    NoTls,
    #[error("protocol {0} is not spoken here")]
    Version(cs_wire_postgres::Version),
    #[error("{0}")]
    Protocol(#[from] Malformed),
    #[error("no user name")]
    NoUser,
    #[error("the user name cannot be a role: {0}")]
    BadUser(cs_database::BadRoleName),
    #[error("replication is not allowed on this server")]
    Replication,
    #[error("the address has failed too often")]
    Patience,
    #[error("no more sessions")]
    Full,
    #[error("the gateway is being stopped")]
    Stopping,
    #[error("no server of this name")]
    NoServer { user: String },
    #[error("empty password")]
    NoPassword { user: String },
    #[error("the token: {why}")]
    Token { user: String, why: TokenRefusal },
    #[error("the token is of another tenant")]
    OtherTenant { user: String },
    #[error("{why}")]
    NoRule { user: String, why: NoRule },
    /// The site cannot say who may log in.
    #[error("the site cannot decide: {0}")]
    Undecided(String),
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    /// The server did not take the gateway's login: its configuration is not as docs/postgres.md says.
    #[error("the server refused the login: {0}")]
    RefusedBehind(String),
    /// The server's own words, passed on.
    #[error("the server: {1}")]
    FromServer(bytes::Bytes, String),
}

impl Refusal {
    /// What is sent before the connection is closed; `None` sends nothing.
    pub fn report(&self) -> Option<Report> {
        Some(match self {
            Self::Silent(_) | Self::Broken(_) | Self::Slow | Self::FromServer(..) => return None,
            Self::NoTls => Report::fatal("28000", "connection requires TLS")
                .hint("Connect with sslmode=verify-full, or at least sslmode=require."),
            Self::Version(version) => Report::fatal(
                "0A000",
                format!("unsupported frontend protocol {version}: server supports 3.0 to 3.2"),
            ),
            Self::Protocol(malformed) => Report::fatal("08P01", malformed.to_string()),
            Self::NoUser => Report::fatal("28000", "no PostgreSQL user name specified in startup packet"),
            Self::BadUser(why) => {
                Report::fatal("28000", "the user name cannot be a role").detail(why.to_string())
            }
            Self::Replication => {
                Report::fatal("28000", "replication connections are not allowed on this server")
            }
            Self::Patience => Report::fatal("53300", "too many failed logins from this address")
                .hint("Try again in a minute."),
            Self::Full => Report::fatal("53300", "sorry, too many clients already"),
            // What PostgreSQL says then; clients try again, elsewhere if they know of another.
            Self::Stopping => Report::fatal("57P03", "the database system is shutting down"),
            Self::NoServer { user }
            | Self::NoPassword { user }
            | Self::OtherTenant { user }
            | Self::NoRule { user, .. } => not_allowed(user),
            Self::Token { user, why } => token(user, why),
            Self::Undecided(_) => Report::fatal("57P03", "logins cannot be decided at the moment")
                .hint("Try again in some seconds."),
            Self::Unreachable(_) => Report::fatal("08006", "the database server cannot be reached"),
            Self::RefusedBehind(_) => {
                Report::fatal("08006", "the database server did not accept the gateway's login")
                    .hint("The gateway's log has the reason.")
            }
        })
    }

    /// Whether it counts against the address it came from.
    pub fn is_failed_login(&self) -> bool {
        matches!(
            self,
            Self::NoPassword { .. }
                | Self::Token { .. }
                | Self::OtherTenant { .. }
                | Self::NoRule { .. }
                | Self::NoServer { .. }
        )
    }
}

/// One text for every reason (G05): whoever guesses learns nothing from a difference.
fn not_allowed(user: &str) -> Report {
    Report::fatal("28P01", format!("password authentication failed for user \"{user}\""))
}

fn token(user: &str, why: &TokenRefusal) -> Report {
    let again = format!("Request a token for {AUDIENCE}.");
    match why {
        TokenRefusal::Expired(at) => Report::fatal("28P01", "access token has expired")
            .detail(format!("It ran out at {at}."))
            .hint("Request a fresh token for each new connection."),
        TokenRefusal::NotYetValid => Report::fatal("28P01", "access token is not valid yet")
            .hint("Compare the clocks of client and server."),
        TokenRefusal::Audience { found } => {
            // Claims of a verified token are the site's own words; still no more of them than a line.
            let found: String = found.chars().filter(|c| !c.is_control()).take(200).collect();
            Report::fatal("28P01", "token audience is wrong").detail(format!("Got {found}")).hint(again)
        }
        TokenRefusal::Unconfirmed => Report::fatal("57P03", "logins cannot be decided at the moment")
            .hint("Try again in some seconds."),
        TokenRefusal::Malformed
        | TokenRefusal::Signature
        | TokenRefusal::Issuer { .. }
        | TokenRefusal::Principal => not_allowed(user),
    }
}
