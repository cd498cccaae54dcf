//! `countersign trust`: the site's authority in this host's trust store, its names in this host's hosts file.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use clap::{Args, Subcommand};
use cs_names::SiteNames;
use cs_store::{HostKind, StoreError, Survey, WrappedKey};

use crate::{
    cli::DataArgs,
    failure::{Attempt, Failure, Kind},
    site::{data, open},
};

#[derive(Args)]
pub struct TrustArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Put the authority into the trust store and the names into the hosts file; again after a new vault or account
    #[command(before_help = "Example:\n  sudo countersign trust install --data ./site")]
    Install(PlaceArgs),
    /// Take both out again
    #[command(before_help = "Example:\n  sudo countersign trust remove --data ./site")]
    Remove(PlaceArgs),
}

#[derive(Args)]
struct PlaceArgs {
    #[command(flatten)]
    data: DataArgs,
    /// The file that names hosts
    #[arg(long, value_name = "FILE", default_value = "/etc/hosts")]
    hosts_file: PathBuf,
    /// Another root for the trust store than /, whose own program then is not run
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

/// Where distributions look for authorities their administrator adds, and what makes bundles of them.
const STORES: [(&str, &str, &[&str]); 3] = [
    ("usr/local/share/ca-certificates", "update-ca-certificates", &[]),
    ("etc/pki/ca-trust/source/anchors", "update-ca-trust", &["extract"]),
    ("usr/share/pki/trust/anchors", "update-ca-certificates", &[]),
];

#[expect(clippy::print_stderr, reason = "talk of the verb")]
pub async fn trust(args: &TrustArgs) -> Result<ExitCode, Failure> {
    let (place, install) = match &args.what {
        What::Install(place) => (place, true),
        What::Remove(place) => (place, false),
    };
    let folder = data::path_of(place.data.data.as_deref())?;
    let names = names(&folder)?;
    let suffix = names.suffix().to_owned();
    let store = Store::find(place.root.as_deref().unwrap_or(Path::new("/")), &suffix)?;
    if install {
        let authority = folder.join("ca.pem");
        let pem = fs::read(&authority).attempt(format_args!("reading {}", authority.display()))?;
        let hosts = hosts(&folder, &names).await?;
        data::write_whole(&store.file, &pem, 0o644).map_err(as_root)?;
        rewrite(&place.hosts_file, &suffix, Some(&hosts)).map_err(as_root)?;
        eprintln!("{} names in {}", hosts.len(), place.hosts_file.display());
    } else {
        match fs::remove_file(&store.file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(as_root(Failure::failed(format!("removing {}: {error}", store.file.display()))));
            }
            _ => {}
        }
        rewrite(&place.hosts_file, &suffix, None).map_err(as_root)?;
    }
    if place.root.is_none() {
        store.update()?;
    }
    let done = if install { "trusts" } else { "no longer trusts" };
    eprintln!("this host {done} the authority of {suffix}");
    Ok(ExitCode::SUCCESS)
}

fn as_root(failure: Failure) -> Failure {
    failure.hint(
        "this needs root: sudo countersign trust …; without root use `countersign env` or `countersign run`",
    )
}

/// This host's trust store.
struct Store {
    file: PathBuf,
    program: &'static str,
    words: &'static [&'static str],
}

impl Store {
    fn find(root: &Path, suffix: &str) -> Result<Self, Failure> {
        let found = STORES.iter().find(|(folder, _, _)| root.join(folder).is_dir());
        let (folder, program, words) = found.ok_or_else(|| {
            Failure::failed("this host has no trust store that is known here")
                .hint("add the site's ca.pem by hand, or point programs at it with `countersign env`")
        })?;
        Ok(Self { file: root.join(folder).join(format!("countersign-{suffix}.crt")), program, words })
    }

    fn update(&self) -> Result<(), Failure> {
        let ended = Command::new(self.program).args(self.words).output();
        let ended = ended.attempt(format_args!("running {}", self.program))?;
        if ended.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
        Err(as_root(Failure::failed(format!("{}: {said}", self.program))))
    }
}

/// The site's names, by what its last start wrote.
fn names(folder: &Path) -> Result<SiteNames, Failure> {
    let file = folder.join("hosts");
    let none = || {
        Failure::new(Kind::WrongState, format!("no site has been started on {}", folder.display()))
            .hint("name its directory with --data DIR")
    };
    let text = data::read(&file)?.ok_or_else(none)?;
    let text = String::from_utf8_lossy(&text);
    let suffix = text.split_whitespace().find_map(|word| word.strip_prefix("login."));
    suffix.and_then(|suffix| SiteNames::under(suffix).ok()).ok_or_else(none)
}

/// Every host of the site: hosts files know no wildcards.
async fn hosts(folder: &Path, names: &SiteNames) -> Result<Vec<String>, Failure> {
    let mut hosts = names.fixed_hosts();
    let store = open::reader(folder, None).await?;
    let name = async |row: WrappedKey| {
        hosts.push(match row.kind {
            HostKind::Vault => names.vault_host(&row.label),
            HostKind::Account => names.blob_host(&row.label),
            HostKind::Server => names.postgres_host(&row.label),
        });
        Ok::<_, StoreError>(())
    };
    let page = async |mark, limit| store.all_data_keys(mark, limit).await;
    cs_backup::every(page, name).await.attempt("reading the site's hosts")?;
    Ok(hosts)
}

/// Names on one line: some resolvers read no more than a few hundred bytes of one.
const NAMES_A_LINE: usize = 4;

/// Puts our lines at the end of a hosts file, in the place of those an earlier run put there; without names only takes
/// them out. What others wrote stays as it is.
fn rewrite(file: &Path, suffix: &str, hosts: Option<&[String]>) -> Result<(), Failure> {
    let before = fs::read_to_string(file).attempt(format_args!("reading {}", file.display()))?;
    let after = rewritten(&before, suffix, hosts);
    if after == before {
        return Ok(());
    }
    let metadata = fs::metadata(file).attempt(format_args!("reading {}", file.display()))?;
    let mode = metadata.permissions().mode() & 0o777;
    match data::write_whole(file, after.as_bytes(), mode) {
        Ok(()) => {
            // A new file is ours; the old one's owner keeps it.
            std::os::unix::fs::chown(file, Some(metadata.uid()), Some(metadata.gid()))
                .attempt(format_args!("giving {} back to its owner", file.display()))
        }
        // A hosts file that a container runtime mounted cannot be replaced, only written.
        Err(_) => fs::write(file, after).attempt(format_args!("writing {}", file.display())),
    }
}

fn rewritten(before: &str, suffix: &str, hosts: Option<&[String]>) -> String {
    let (begin, end) = (format!("# countersign {suffix}: begin"), format!("# countersign {suffix}: end"));
    let mut after = String::with_capacity(before.len());
    let mut ours = false;
    for line in before.split_inclusive('\n') {
        match line.trim_end() {
            text if text == begin => ours = true,
            text if text == end => ours = false,
            _ if ours => {}
            _ => after.push_str(line),
        }
    }
    let Some(hosts) = hosts else { return after };
    if !after.is_empty() && !after.ends_with('\n') {
        after.push('\n');
    }
    after.push_str(&format!("{begin}\n"));
    for address in ["127.0.0.1", "::1"] {
        for names in hosts.chunks(NAMES_A_LINE) {
            after.push_str(&format!("{address} {}\n", names.join(" ")));
        }
    }
    after.push_str(&format!("{end}\n"));
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_stays() {
        let others = "127.0.0.1 localhost\n# a note without an end";
        let hosts: Vec<String> = (0..5).map(|n| format!("n{n}.s.test")).collect();
        let with = rewritten(others, "s.test", Some(&hosts));
        assert_eq!(
            with,
            format!(
                "{others}\n# countersign s.test: begin\n127.0.0.1 n0.s.test n1.s.test n2.s.test n3.s.test\n127.0.0.1 n4.s.test\n\
                 ::1 n0.s.test n1.s.test n2.s.test n3.s.test\n::1 n4.s.test\n# countersign s.test: end\n"
            )
        );
        assert_eq!(rewritten(&with, "s.test", Some(&hosts)), with, "twice is once");
        let two = rewritten(&with, "other.test", Some(&hosts[..1]));
        assert_eq!(rewritten(&two, "other.test", None), with, "another site's lines stay");
        assert_eq!(rewritten(&with, "s.test", None), format!("{others}\n"));
    }

    #[test]
    fn a_store_is_found_by_its_folder() {
        let root = tempfile::tempdir().unwrap();
        assert!(Store::find(root.path(), "s.test").is_err());
        fs::create_dir_all(root.path().join("etc/pki/ca-trust/source/anchors")).unwrap();
        let store = Store::find(root.path(), "s.test").unwrap();
        assert!(store.file.ends_with("anchors/countersign-s.test.crt") && store.program == "update-ca-trust");
    }
}
