//! This machine's side: who has the port, what it answers, where challenges go, what the environment says.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::fs::MetadataExt,
    path::Path,
    time::Duration,
};

use nix::{
    sys::statfs::{TMPFS_MAGIC, statfs},
    unistd::{Group, User},
};
use serde_json::Value;

use super::{Found, Row};
use crate::{ports, run::CHALLENGES, state::State};

const PATIENCE: Duration = Duration::from_secs(2);
const IMDS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), 80);
/// What the daemon's process may be called.
const OURS: [&str; 4] = ["csagent", "azcmagent", "himds", "countersign"];

pub(super) async fn rows(port: u16, state: Option<&State>) -> Vec<Row> {
    let mut rows = vec![port_row(port), answer_row(port, state).await, directory_row(Path::new(CHALLENGES))];
    rows.push(group_row());
    rows.extend(imds_row().await);
    rows.extend(environment_row(|name| std::env::var(name).ok().filter(|v| !v.is_empty())));
    rows
}

/// A27: a process that took the port before the agent gets programs to hand over challenges.
fn port_row(port: u16) -> Row {
    let what = format!("port {port}");
    let at = |ip: IpAddr| SocketAddr::new(ip, port);
    let both = [at(Ipv4Addr::LOCALHOST.into()), at(Ipv6Addr::LOCALHOST.into())];
    let holders: Vec<ports::Holder> = both.into_iter().filter_map(ports::holder).collect();
    if let Some(stranger) = holders.iter().find(|h| !is_ours(h)) {
        let detail = format!("{stranger} listens there and is not the agent: unless you know it, end it");
        return Row::new(what, Found::Bad, detail);
    }
    match holders.first() {
        Some(holder) => Row::new(what, Found::Good, format!("the agent listens: {holder}")),
        None if std::net::TcpStream::connect_timeout(&both[0], PATIENCE).is_ok() => {
            Row::new(what, Found::Note, "somebody listens; run this as root to see who")
        }
        None => Row::new(what, Found::Note, "nobody listens: the agent does not run (`csagent run`)"),
    }
}

/// By its name and its user: only root and the agent's own user may be the agent.
fn is_ours(holder: &ports::Holder) -> bool {
    // The first process holds it for the agent, as the package's socket unit says; who can tell it otherwise is root.
    if holder.pid == 1 && holder.name == "systemd" {
        return true;
    }
    let owner = std::fs::metadata(format!("/proc/{}", holder.pid)).map(|m| m.uid()).ok();
    let agent = User::from_name("himds").ok().flatten().map(|u| u.uid.as_raw());
    let me = nix::unistd::geteuid().as_raw();
    let trusted = owner.is_some_and(|uid| uid == 0 || uid == me || Some(uid) == agent);
    trusted && OURS.contains(&holder.name.as_str())
}

async fn answer_row(port: u16, state: Option<&State>) -> Row {
    let what = format!("http://localhost:{port}/metadata/instance");
    let client = match reqwest::Client::builder().no_proxy().timeout(PATIENCE).build() {
        Ok(client) => client,
        Err(error) => return Row::new(what, Found::Bad, error.to_string()),
    };
    let url = format!("http://127.0.0.1:{port}/metadata/instance?api-version=2020-06-01");
    let Ok(response) = client.get(url).header("Metadata", "true").send().await else {
        return Row::new(what, Found::Note, "nothing answers");
    };
    let status = response.status();
    let document: Value = response.json().await.unwrap_or_default();
    let said = document.pointer("/compute/resourceId").and_then(Value::as_str);
    match (said, state) {
        (Some(said), Some(state)) if said.eq_ignore_ascii_case(&state.resource_id) => {
            Row::new(what, Found::Good, "answers for this machine")
        }
        (Some(said), _) => {
            Row::new(what, Found::Note, format!("answers for {said}, which is not what is registered here"))
        }
        (None, _) => Row::new(what, Found::Bad, format!("answers {status} without a resource id")),
    }
}

fn directory_row(path: &Path) -> Row {
    let what = path.display().to_string();
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => {
            return Row::new(what, Found::Note, format!("{error}; SDKs look for challenges nowhere else"));
        }
    };
    let owner = User::from_uid(metadata.uid().into()).ok().flatten().map(|u| u.name);
    let owner = owner.unwrap_or_else(|| metadata.uid().to_string());
    if !metadata.is_dir() {
        return Row::new(what, Found::Bad, "is a link or a file: challenges are never written through it");
    }
    if std::fs::canonicalize(path).is_ok_and(|real| real != path) {
        return Row::new(what, Found::Bad, "lies below a link: some SDKs refuse challenges from there");
    }
    if metadata.mode() & 0o007 != 0 {
        return Row::new(
            what,
            Found::Bad,
            format!("is open to everybody (mode {:o})", metadata.mode() & 0o7777),
        );
    }
    let (found, kept) = if is_in_memory(path) {
        (Found::Good, "in memory")
    } else {
        (Found::Note, "on a disk: mount a tmpfs there, as the packages do, and they are in memory")
    };
    Row::new(what, found, format!("mode {:o}, owner {owner}, challenges {kept}", metadata.mode() & 0o7777))
}

fn is_in_memory(path: &Path) -> bool {
    statfs(path).is_ok_and(|fs| fs.filesystem_type() == TMPFS_MAGIC)
}

fn group_row() -> Row {
    match Group::from_name("himds") {
        Ok(Some(group)) if group.mem.is_empty() => {
            Row::new("group himds", Found::Good, "has no members: only root reads challenges")
        }
        Ok(Some(group)) => Row::new("group himds", Found::Good, format!("members: {}", group.mem.join(", "))),
        _ => Row::new("group himds", Found::Note, "does not exist: only root reads challenges"),
    }
}

/// IMDS has no challenge, so beside HIMDS it would undo it.
async fn imds_row() -> Option<Row> {
    let connected =
        tokio::time::timeout(Duration::from_millis(500), tokio::net::TcpStream::connect(IMDS)).await;
    matches!(connected, Ok(Ok(_))).then(|| {
        let detail =
            "answers here and asks for no challenge: every program on this machine gets tokens from it";
        Row::new("http://169.254.169.254", Found::Note, detail)
    })
}

/// Variables that make clients look elsewhere, or nowhere (metadata.md 2).
fn environment_row(variable: impl Fn(&str) -> Option<String>) -> Option<Row> {
    let (endpoint, imds) = (variable("IDENTITY_ENDPOINT"), variable("IMDS_ENDPOINT"));
    let detail = match (endpoint, imds, variable("IDENTITY_HEADER")) {
        (Some(_), _, Some(_)) => {
            "IDENTITY_HEADER is set: clients take this for App Service and do not come here"
        }
        (Some(_), None, None) => {
            "IDENTITY_ENDPOINT is set without IMDS_ENDPOINT: some clients then find no identity"
        }
        (None, Some(_), _) => "IMDS_ENDPOINT is set without IDENTITY_ENDPOINT: clients need both",
        _ => return None,
    };
    Some(Row::new("environment", Found::Note, detail))
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn a27_a_stranger_on_the_port_is_named() {
        let squatter = TcpListener::bind("127.0.0.1:0").unwrap();
        let row = port_row(squatter.local_addr().unwrap().port());
        assert_eq!(row.found, Found::Bad);
        assert!(row.detail.contains(&format!("process {} ", std::process::id())), "{}", row.detail);
    }

    #[test]
    fn a27_the_first_process_may_hold_the_port_and_nobody_else_of_its_name() {
        let holder = |pid, name: &str| ports::Holder { pid, name: name.to_owned() };
        assert!(is_ours(&holder(1, "systemd")));
        assert!(!is_ours(&holder(1, "sh")) && !is_ours(&holder(std::process::id(), "systemd")));
    }

    #[test]
    fn a19_a_link_in_the_directorys_place_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let base = std::fs::canonicalize(dir.path()).unwrap();
        let (real, link) = (base.join("real"), base.join("link"));
        std::fs::create_dir(&real).unwrap();
        symlink(&real, &link).unwrap();
        assert_eq!(directory_row(&link).found, Found::Bad);
        assert_eq!(directory_row(&real).found, Found::Bad, "open to everybody");
        std::fs::create_dir(real.join("below")).unwrap();
        assert_eq!(directory_row(&link.join("below")).found, Found::Bad);
        assert_eq!(directory_row(&base.join("nothing")).found, Found::Note);
    }

    #[test]
    fn variables_that_mislead() {
        let of = |set: &'static [&'static str]| {
            environment_row(move |name| set.contains(&name).then(|| "x".to_owned())).is_some()
        };
        assert!(!of(&[]) && !of(&["IDENTITY_ENDPOINT", "IMDS_ENDPOINT"]));
        assert!(of(&["IDENTITY_ENDPOINT"]) && of(&["IDENTITY_ENDPOINT", "IMDS_ENDPOINT", "IDENTITY_HEADER"]));
    }
}
