//! `countersign machine`: join tokens, and the end of a quarantine.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::operator::Operator;
use crate::{
    cli::Output,
    failure::{Failure, Kind},
};

const MACHINES: &str = "2024-07-10";
/// Of our own namespace.
const JOIN_TOKENS: &str = "2026-11-01";

#[derive(Args)]
pub struct MachineArgs {
    #[command(subcommand)]
    verb: MachineVerb,
}

#[derive(Subcommand)]
enum MachineVerb {
    /// One-time tokens that let a machine into a resource group
    JoinToken {
        #[command(subcommand)]
        verb: JoinTokenVerb,
    },
    /// End a machine's quarantine: the next agent with its key is believed
    #[command(before_help = "Example:\n  countersign machine release m1 --resource-group plant-1")]
    Release(ReleaseArgs),
}

#[derive(Subcommand)]
enum JoinTokenVerb {
    /// Make one and print it: it is shown this once
    #[command(
        before_help = "Example:\n  countersign machine join-token create --resource-group plant-1 --tags site=plant-1 --expires 1h >token\n  csagent connect --site https://management.example.com --ca-file ca.pem --join-token token"
    )]
    Create(CreateArgs),
    /// List those of a group
    #[command(before_help = "Example:\n  countersign machine join-token list --resource-group plant-1")]
    List(ListArgs),
    /// Take one back
    #[command(
        before_help = "Example:\n  countersign machine join-token revoke 8b1f3f1e-0b43-4a5c-9f43-0d5bb1c7a9d2 --resource-group plant-1"
    )]
    Revoke(RevokeArgs),
}

/// Which group of which site.
#[derive(Args)]
struct GroupArgs {
    /// Everything the site keeps [default: $XDG_DATA_HOME/countersign]
    #[arg(long, value_name = "DIR", env = "COUNTERSIGN_DATA")]
    data: Option<PathBuf>,
    #[arg(short = 'g', long, value_name = "NAME")]
    resource_group: String,
    /// [default: the site's first]
    #[arg(short = 's', long, value_name = "ID")]
    subscription_id: Option<String>,
}

#[derive(Args)]
struct CreateArgs {
    #[command(flatten)]
    group: GroupArgs,
    /// What the machine is tagged with, whatever it says itself: A=1,B=2
    #[arg(long, value_name = "TAGS", value_delimiter = ',')]
    tags: Vec<String>,
    /// How long it is good: 90s, 15m, 1h, 7d; at most 30 days
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = seconds)]
    expires: i64,
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Args)]
struct ListArgs {
    #[command(flatten)]
    group: GroupArgs,
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Args)]
struct RevokeArgs {
    /// Its id, as `list` shows it
    id: String,
    #[command(flatten)]
    group: GroupArgs,
}

#[derive(Args)]
struct ReleaseArgs {
    /// The machine's name
    name: String,
    #[command(flatten)]
    group: GroupArgs,
}

pub async fn machine(args: MachineArgs) -> Result<ExitCode, Failure> {
    match args.verb {
        MachineVerb::JoinToken { verb: JoinTokenVerb::Create(args) } => create(args).await?,
        MachineVerb::JoinToken { verb: JoinTokenVerb::List(args) } => list(args).await?,
        MachineVerb::JoinToken { verb: JoinTokenVerb::Revoke(args) } => revoke(args).await?,
        MachineVerb::Release(args) => release(args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "the answer of the verb")]
async fn create(args: CreateArgs) -> Result<(), Failure> {
    let body = json!({"tags": tags(&args.tags)?, "properties": {"expiresInSeconds": args.expires}});
    let (operator, group) = at(&args.group).await?;
    let made = operator.arm(JOIN_TOKENS, Method::POST, &tokens(&group), Some(&body)).await?;
    if args.output == Output::Json {
        println!("{made:#}");
    } else {
        println!("{}", made["properties"]["joinToken"].as_str().unwrap_or_default());
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer of the verb")]
async fn list(args: ListArgs) -> Result<(), Failure> {
    let (operator, group) = at(&args.group).await?;
    let all = operator.arm(JOIN_TOKENS, Method::GET, &tokens(&group), None).await?;
    if args.output == Output::Json {
        println!("{:#}", all["value"]);
        return Ok(());
    }
    for token in all["value"].as_array().into_iter().flatten() {
        let of = |name: &str| token["properties"][name].as_str().unwrap_or_default();
        let machine = of("machineId").rsplit('/').next().unwrap_or_default();
        let id = token["name"].as_str().unwrap_or_default();
        println!("{id:<36}  {:<5} {:<28} {machine}", of("state"), of("expiresAt"));
    }
    Ok(())
}

async fn revoke(args: RevokeArgs) -> Result<(), Failure> {
    let (operator, group) = at(&args.group).await?;
    let path = format!("{}/{}", tokens(&group), path_part("ID", &args.id)?);
    operator.arm(JOIN_TOKENS, Method::DELETE, &path, None).await.map(drop)
}

#[expect(clippy::print_stderr, reason = "talk goes to standard error")]
async fn release(args: ReleaseArgs) -> Result<(), Failure> {
    let (operator, group) = at(&args.group).await?;
    let name = path_part("NAME", &args.name)?;
    let path = format!("{group}/providers/Microsoft.HybridCompute/machines/{name}/release");
    let machine = operator.arm(MACHINES, Method::POST, &path, None).await?;
    eprintln!("Released {}", machine["id"].as_str().unwrap_or(name));
    Ok(())
}

async fn at(args: &GroupArgs) -> Result<(Operator, String), Failure> {
    let group = path_part("--resource-group", &args.resource_group)?;
    let operator = Operator::of_running_site(args.data.as_deref()).await?;
    let own = operator.ready.subscription_id.clone();
    let subscription = args.subscription_id.as_deref().map_or(Ok(own.as_str()), |s| path_part("-s", s))?;
    let path = format!("/subscriptions/{subscription}/resourceGroups/{group}");
    Ok((operator, path))
}

fn tokens(group: &str) -> String {
    format!("{group}/providers/Countersign.Enrolment/joinTokens")
}

/// A word that is put into a path: it may not lead elsewhere.
fn path_part<'a>(what: &str, text: &'a str) -> Result<&'a str, Failure> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.()".contains(c);
    if !text.is_empty() && !text.starts_with('.') && text.chars().all(fits) {
        return Ok(text);
    }
    Err(Failure::new(Kind::Usage, format!("{what}: '{text}' is not a name of the resource manager")))
}

fn tags(given: &[String]) -> Result<Map<String, Value>, Failure> {
    let mut all = Map::new();
    for pair in given {
        let bad = || Failure::new(Kind::Usage, format!("--tags: {pair} is not NAME=VALUE"));
        let (name, value) =
            pair.split_once('=').filter(|(name, _)| !name.trim().is_empty()).ok_or_else(bad)?;
        all.insert(name.trim().to_owned(), Value::from(value.trim()));
    }
    Ok(all)
}

fn seconds(text: &str) -> Result<i64, String> {
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3600,
        Some('d') => 86_400,
        _ => return Err("it looks like 90s, 15m, 1h or 7d".to_owned()),
    };
    let number: i64 =
        text[..text.len() - 1].parse().map_err(|_| "it looks like 90s, 15m, 1h or 7d".to_owned())?;
    number.checked_mul(unit).filter(|n| *n > 0).ok_or_else(|| "that is no time to come".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!((seconds("90s"), seconds("1h"), seconds("7d")), (Ok(90), Ok(3600), Ok(604_800)));
        for bad in ["", "h", "1", "-1h", "1é", "9223372036854775807d", "1.5h"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn no_name_leads_to_another_path() {
        for bad in ["", "..", "a/b", "a?b", "a%2fb", "é"] {
            assert!(path_part("x", bad).is_err(), "{bad}");
        }
        assert_eq!(path_part("x", "Lab-1_(a).b").unwrap(), "Lab-1_(a).b");
    }
}
