//! `countersign database`: preparing a PostgreSQL for the gateway, and the principals that may log in.
//!
//! A principal is two things: a rule of the site (who may be which role) and a role of the server. The operator makes
//! the role through the gateway itself, as an administrator that the server's owner has let in.

mod operator;
mod session;
mod sync;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand, ValueEnum};
use cs_database::RoleName;
use cs_ids::{ObjectId, ServerName};
use serde_json::{Value, json};

use self::{operator::Operator, session::Session};
use crate::{
    cli::Output,
    failure::{Attempt, Failure, Kind},
};

const SETUP: &str = include_str!("database/setup.sql");

#[derive(Args)]
pub struct DatabaseArgs {
    #[command(subcommand)]
    verb: DatabaseVerb,
}

#[derive(Subcommand)]
enum DatabaseVerb {
    /// Print what a superuser runs once on the server
    #[command(
        before_help = "Example:\n  countersign database setup --server lab --admin site-operator | psql -h db1.lan -d postgres"
    )]
    Setup(SetupArgs),
    /// Let an application be the gateway of a server, in a process of its own
    #[command(
        before_help = "Example:\n  countersign database allow-gateway --server lab --object-id 6555b188-ea90-4543-92d7-241958332d18"
    )]
    AllowGateway(AllowArgs),
    /// Who may log in as which role
    Principal {
        #[command(subcommand)]
        verb: PrincipalVerb,
    },
}

#[derive(Args)]
struct SetupArgs {
    #[command(flatten)]
    site: SiteArgs,
    /// Also lets the operator in, as this role, to make and drop others
    #[arg(long, value_name = "ROLE")]
    admin: Option<String>,
}

#[derive(Args)]
struct AllowArgs {
    #[command(flatten)]
    site: SiteArgs,
    /// The application's object id
    #[arg(long, value_name = "UUID")]
    object_id: String,
}

#[derive(Subcommand)]
enum PrincipalVerb {
    /// Make a role on the server and let a principal log in as it
    #[command(
        before_help = "Example:\n  countersign database principal create lab-machine --server lab --object-id 6555b188-ea90-4543-92d7-241958332d18"
    )]
    Create(CreateArgs),
    /// List who may log in as which role
    #[command(before_help = "Example:\n  countersign database principal list --server lab --output json")]
    List(ListArgs),
    /// Make the site's rules follow what pgaadauth_… functions wrote down on the server
    #[command(before_help = "Example:\n  countersign database principal sync --server lab --watch")]
    Sync(SyncArgs),
    /// Take a role away from its principals, end their sessions, and drop it
    #[command(before_help = "Example:\n  countersign database principal drop lab-machine --server lab")]
    Drop(DropArgs),
}

/// Which server of which site.
#[derive(Args)]
struct SiteArgs {
    /// Everything the site keeps [default: $XDG_DATA_HOME/countersign]
    #[arg(long, value_name = "DIR", env = "COUNTERSIGN_DATA")]
    data: Option<PathBuf>,
    /// The server's name
    #[arg(long, value_name = "NAME")]
    server: String,
}

#[derive(Args)]
struct CreateArgs {
    /// The role's name
    role: String,
    #[command(flatten)]
    site: SiteArgs,
    /// The principal's object id
    #[arg(long, value_name = "UUID")]
    object_id: String,
    /// What the principal is
    #[arg(long = "type", value_enum, default_value_t = PrincipalType::Service)]
    kind: PrincipalType,
    /// Let it make and drop others
    #[arg(long)]
    admin: bool,
}

#[derive(Args)]
struct ListArgs {
    #[command(flatten)]
    site: SiteArgs,
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Args)]
struct SyncArgs {
    #[command(flatten)]
    site: SiteArgs,
    /// Go on, once a second, until told to stop
    #[arg(long)]
    watch: bool,
}

#[derive(Args)]
struct DropArgs {
    /// The role's name
    role: String,
    #[command(flatten)]
    site: SiteArgs,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PrincipalType {
    User,
    Group,
    Service,
}

pub async fn database(args: DatabaseArgs) -> Result<ExitCode, Failure> {
    match args.verb {
        DatabaseVerb::Setup(args) => setup(args).await,
        DatabaseVerb::AllowGateway(args) => allow_gateway(args).await,
        DatabaseVerb::Principal { verb: PrincipalVerb::Create(args) } => create(args).await,
        DatabaseVerb::Principal { verb: PrincipalVerb::List(args) } => list(args).await,
        DatabaseVerb::Principal { verb: PrincipalVerb::Sync(args) } => {
            sync::sync(&args.site, args.watch).await
        }
        DatabaseVerb::Principal { verb: PrincipalVerb::Drop(args) } => take(args).await,
    }
}

#[expect(clippy::print_stdout, reason = "the answer of the verb")]
async fn setup(args: SetupArgs) -> Result<ExitCode, Failure> {
    print!("{SETUP}");
    if let Some(admin) = &args.admin {
        let role = role(admin)?;
        let operator = operator(&args.site).await?;
        operator.put_rule(&operator.object_id(), &role, "ServicePrincipal").await?;
        let tenant = literal(&operator.site.ready.tenant_id);
        println!("\nUPDATE countersign.site SET tenant = {tenant};");
        println!("SELECT countersign.create_principal({}, true);", literal(role.as_str()));
    }
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "the answer of the verb")]
async fn allow_gateway(args: AllowArgs) -> Result<ExitCode, Failure> {
    let object: ObjectId = args
        .object_id
        .parse()
        .map_err(|_| Failure::new(Kind::Usage, "--object-id is not an object id (a UUID)"))?;
    let operator = operator(&args.site).await?;
    operator.allow_gateway(&object.to_string()).await?;
    println!("{object} may be the gateway of {}", operator.server);
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the answer of the verb, and its talk")]
async fn create(args: CreateArgs) -> Result<ExitCode, Failure> {
    let role = role(&args.role)?;
    let object: ObjectId = args
        .object_id
        .parse()
        .map_err(|_| Failure::new(Kind::Usage, "--object-id is not an object id (a UUID)"))?;
    let kind = match args.kind {
        PrincipalType::User => "User",
        PrincipalType::Group => "Group",
        PrincipalType::Service => "ServicePrincipal",
    };
    let operator = operator(&args.site).await?;
    // The role first: a rule for a role that is not there would let somebody log in to an error.
    let mut session = log_in(&operator).await?;
    let admin = if args.admin { "true" } else { "false" };
    let sql = "SELECT countersign.create_principal($1, $2::boolean)";
    let told = session.ask(sql, &[role.as_str(), admin]).await?;
    let rules = operator.rules().await?;
    let mine = rules.iter().find(|r| r["properties"]["objectId"].as_str() == Some(&*object.to_string()));
    let before = mine.and_then(|r| r["properties"]["principalName"].as_str()).filter(|r| *r != role.as_str());
    operator.put_rule(&object.to_string(), &role, kind).await?;
    println!("{}", told.unwrap_or_default());
    // One role a principal, as on Azure: whoever reads this may have meant a second one.
    if let Some(before) = before {
        eprintln!("{object} logged in as {before} until now; that role is nobody's any more");
    }
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "the answer of the verb")]
async fn list(args: ListArgs) -> Result<ExitCode, Failure> {
    let rules = operator(&args.site).await?.rules().await?;
    let of = |rule: &Value, name: &str| rule["properties"][name].as_str().unwrap_or_default().to_owned();
    let rows: Vec<_> =
        rules.iter().map(|r| [of(r, "principalName"), of(r, "principalType"), of(r, "objectId")]).collect();
    if args.output == Output::Json {
        let all: Vec<_> = rows
            .iter()
            .map(|[role, kind, object]| json!({"role": role, "principalType": kind, "objectId": object}))
            .collect();
        println!("{}", serde_json::to_string_pretty(&all).attempt("writing the list")?);
    } else {
        for [role, kind, object] in rows {
            println!("{role:<32} {kind:<18} {object}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "the answer of the verb")]
async fn take(args: DropArgs) -> Result<ExitCode, Failure> {
    let role = role(&args.role)?;
    let operator = operator(&args.site).await?;
    let mut session = log_in(&operator).await?;
    let rules = operator.rules().await?;
    let of_role = rules.iter().filter(|r| r["properties"]["principalName"] == role.as_str());
    // The rule first: its end ends the sessions, and a role with a session cannot be dropped.
    for rule in of_role {
        operator.delete_rule(rule["name"].as_str().unwrap_or_default()).await?;
    }
    let told = session.ask("SELECT countersign.drop_principal($1)", &[role.as_str()]).await?;
    println!("{}", told.unwrap_or_default());
    Ok(ExitCode::SUCCESS)
}

async fn operator(site: &SiteArgs) -> Result<Operator, Failure> {
    let server: ServerName = site
        .server
        .to_ascii_lowercase()
        .parse()
        .map_err(|e: cs_ids::BadName| Failure::new(Kind::Usage, format!("--server: {e}")))?;
    Operator::of_running_site(site.data.as_deref(), server).await
}

/// As the role that the operator has on the server.
async fn log_in(operator: &Operator) -> Result<Session, Failure> {
    let rules = operator.rules().await?;
    let own = rules.iter().find(|r| r["name"].as_str() == Some(&operator.object_id()));
    let role = own.and_then(|r| r["properties"]["principalName"].as_str()).ok_or_else(|| {
        Failure::new(Kind::WrongState, "the operator may not log in to this server")
            .hint("run `countersign database setup --server NAME --admin ROLE | psql …` first")
    })?;
    Session::open(operator, role).await
}

fn role(text: &str) -> Result<RoleName, Failure> {
    RoleName::parse(text)
        .map_err(|bad| Failure::new(Kind::Usage, format!("'{text}' cannot be a role: {bad}")))
}

/// A string of SQL, as `standard_conforming_strings` reads it: only the quote has a meaning in it.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_quotes() {
        let odd = RoleName::parse("x'); DROP ROLE y; --\\").unwrap();
        assert_eq!(literal(odd.as_str()), "'x''); DROP ROLE y; --\\'");
        assert!(SETUP.contains("SET standard_conforming_strings = on"));
    }

    #[test]
    fn setup_pastes_no_name_into_a_statement() {
        // Every EXECUTE quotes what it is given.
        for line in SETUP.lines().filter(|line| line.contains("EXECUTE pg_catalog.format")) {
            assert!(line.contains("%I") && !line.contains("%s"), "{line}");
        }
        assert!(!SETUP.contains("EXECUTE '"));
    }
}
