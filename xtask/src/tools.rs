//! What the tests need beside Rust: Debian packages by name, and clients from the lock files under `conformance/`.
//!
//! Each set of clients lives in `target/conformance/NAME` and is installed again only when its lock file or its
//! interpreter changed. Nothing is installed outside `target/` but Debian packages, and those only when missing.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use anyhow::{Context, Result, bail};

use crate::compiled;
use crate::exec::{Log, on_path};
use crate::ground::Ground;

/// A set of clients with a lock file of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clients {
    /// Azure SDKs for Python.
    Python,
    /// az, whose dependencies do not agree with the newest SDKs.
    Azcli,
    /// Schemathesis, which makes requests from descriptions of an API.
    Schemathesis,
    /// moto, a stand-in for S3.
    S3,
    /// Azure SDKs for Node.js.
    Node,
    /// Drivers of PostgreSQL for Python.
    PgPython,
    /// A driver of PostgreSQL for Node.js.
    PgNode,
    /// PostgreSQL itself, in versions that Debian does not have.
    PgServers,
    /// The emulator of blob storage, for the bench.
    Azurite,
    /// Azure SDKs for Go, compiled into one program.
    Go,
    /// Azure SDKs for Java, compiled.
    Java,
    /// Azure SDKs for Rust and `object_store`, compiled into one program.
    Rust,
}

/// pip, npm and apt each lock their own state; installing one set at a time keeps them from tripping over each other.
static INSTALLING: Mutex<()> = Mutex::new(());

impl Clients {
    pub fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Azcli => "azcli",
            Self::Schemathesis => "schemathesis",
            Self::S3 => "s3",
            Self::Node => "node",
            Self::PgPython => "pgpython",
            Self::PgNode => "pgnode",
            Self::PgServers => "pgservers",
            Self::Azurite => "azurite",
            Self::Go => "go",
            Self::Java => "java",
            Self::Rust => "rust",
        }
    }

    /// What this machine lacks for these clients, as a line for the person who would have to install it. Python, Node and
    /// Rust are what the project asks everybody for; these are extras.
    pub fn lacks(self) -> Option<&'static str> {
        let missing = |programs: &[&str]| programs.iter().any(|program| !on_path(program));
        match self {
            Self::Go if missing(&["go"]) => Some("this machine has no Go toolchain (go)"),
            Self::Java if missing(&["java", "javac", "mvn"]) => {
                Some("this machine has no JDK with Maven (javac, mvn)")
            }
            Self::PgServers if std::env::consts::ARCH != "x86_64" => {
                Some("the packaged PostgreSQL servers are for x86-64")
            }
            _ => compiled::too_old(self),
        }
    }

    fn lock_file(self) -> &'static str {
        match self {
            Self::Python | Self::Azcli | Self::S3 | Self::Schemathesis | Self::PgPython => "requirements.txt",
            Self::Node | Self::PgNode | Self::PgServers | Self::Azurite => "package-lock.json",
            Self::Go => "go.sum",
            Self::Java => "libraries.sha256",
            Self::Rust => "Cargo.lock",
        }
    }

    /// The command that tells the version of what runs or compiles these clients.
    fn version(self) -> Command {
        let words: [&str; 2] = match self {
            Self::Python | Self::Azcli | Self::S3 | Self::Schemathesis | Self::PgPython => {
                ["python3", "--version"]
            }
            Self::Node | Self::PgNode | Self::PgServers | Self::Azurite => ["node", "--version"],
            Self::Go => ["go", "version"],
            Self::Java => ["javac", "-version"],
            Self::Rust => ["rustc", "--version"],
        };
        let mut command = Command::new(words[0]);
        command.arg(words[1]);
        command
    }

    /// Installs the set where it is missing or stale; returns its folder.
    pub fn install(self, ground: &Ground, log: &mut Log) -> Result<PathBuf> {
        let _one_at_a_time = INSTALLING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (from, to) = (ground.root.join("conformance").join(self.name()), ground.clients(self.name()));
        let wanted = self.fingerprint(&from)?;
        let seal = to.join("installed-from");
        if fs::read(&seal).is_ok_and(|found| found == wanted) {
            return Ok(to);
        }
        log.note(&format!("installing {} into {}", self.name(), to.display()))?;
        if to.exists() {
            fs::remove_dir_all(&to)?;
        }
        fs::create_dir_all(&to)?;
        match self {
            Self::Node | Self::PgNode | Self::Azurite => node(&from, &to, log),
            Self::PgServers => node(&from, &to, log).and_then(|()| libraries(&to, log)),
            Self::Python | Self::Azcli | Self::S3 | Self::Schemathesis | Self::PgPython => {
                python(&from, &to, log)
            }
            Self::Go => compiled::go(ground, &from, &to, log),
            Self::Java => compiled::java(ground, &from, &to, log),
            Self::Rust => compiled::rust(ground, &from, &to, log),
        }
        .with_context(|| format!("installing conformance/{}", self.name()))?;
        fs::write(seal, wanted)?;
        Ok(to)
    }

    /// The version of what runs them, then the lock file, then what is compiled: when one changes, what is installed is
    /// stale.
    fn fingerprint(self, from: &Path) -> Result<Vec<u8>> {
        let version =
            self.version().output().with_context(|| format!("asking for {}'s version", self.name()))?;
        let mut all = [version.stdout, fs::read(from.join(self.lock_file()))?].concat();
        for source in compiled::sources(self, from)? {
            all.extend(fs::read(source)?);
        }
        Ok(all)
    }
}

fn python(from: &Path, to: &Path, log: &mut Log) -> Result<()> {
    if log.run(Command::new("python3").args(["-m", "venv"]).arg(to)).is_err() {
        // Debian ships the interpreter without its `ensurepip`.
        debian(&[("/", "python3-venv")], log)?;
        log.run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(to))?;
    }
    let mut pip = Command::new(to.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r"]);
    log.run(pip.arg(from.join("requirements.txt")))
}

fn node(from: &Path, to: &Path, log: &mut Log) -> Result<()> {
    for file in ["package.json", "package-lock.json", ".npmrc"] {
        fs::copy(from.join(file), to.join(file)).with_context(|| format!("copying {file}"))?;
    }
    let mut npm = Command::new("npm");
    log.run(npm.current_dir(to).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]))
}

/// These packages hold libraries whose links npm cannot carry; each brings the script that makes them.
fn libraries(to: &Path, log: &mut Log) -> Result<()> {
    for package in fs::read_dir(to.join("node_modules"))? {
        let package = package?.path();
        if package.join("native").is_dir() {
            log.run(Command::new("node").current_dir(&package).arg("scripts/hydrate-symlinks.js"))?;
        }
    }
    Ok(())
}

/// Makes sure of programs that come as Debian packages: pairs of (program, package). A program of `/` is always missing.
pub fn debian(wanted: &[(&str, &str)], log: &mut Log) -> Result<()> {
    let missing = wanted.iter().filter(|(program, _)| !on_path(program));
    let packages: Vec<&str> = missing.map(|(_, package)| *package).collect();
    if packages.is_empty() {
        return Ok(());
    }
    if !on_path("apt-get") {
        bail!("please install {}: this is no Debian, so it was not done for you", packages.join(" "));
    }
    let hint = || format!("as root: apt-get install {}", packages.join(" "));
    if let Err(error) = log.run(&mut apt(&["update"])) {
        // Some other source of this host may be down; what we need may still be known.
        log.note(&format!("{error:#}"))?;
    }
    log.run(apt(&["install", "--yes", "--no-install-recommends"]).args(&packages)).with_context(hint)
}

fn apt(arguments: &[&str]) -> Command {
    let root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    let mut command = Command::new(if root { "env" } else { "sudo" });
    // Through `env` or `sudo -n env`, so that both take the same words.
    command.args(if root { &[][..] } else { &["-n", "env"] });
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-o", "DPkg::Lock::Timeout=300"]);
    command.args(arguments);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Clients; 12] = [
        Clients::Schemathesis,
        Clients::PgServers,
        Clients::Azurite,
        Clients::PgPython,
        Clients::PgNode,
        Clients::Python,
        Clients::Azcli,
        Clients::S3,
        Clients::Node,
        Clients::Go,
        Clients::Java,
        Clients::Rust,
    ];

    /// A lock file that names where it was made would send everybody else there.
    #[test]
    fn no_lock_file_names_a_registry() {
        let ground = Ground::find().unwrap();
        for clients in ALL {
            let folder = ground.root.join("conformance").join(clients.name());
            let lock = fs::read_to_string(folder.join(clients.lock_file())).unwrap();
            for forbidden in ["\"resolved\"", "index-url", "--find-links", "registry."] {
                assert!(!lock.contains(forbidden), "{} in {}", forbidden, folder.display());
            }
        }
    }

    /// `pip install --require-hashes` refuses at once what is not pinned; this says so before any download.
    #[test]
    fn every_python_requirement_is_pinned_with_hashes() {
        let ground = Ground::find().unwrap();
        for clients in
            [Clients::Python, Clients::Azcli, Clients::S3, Clients::Schemathesis, Clients::PgPython]
        {
            let file = ground.root.join("conformance").join(clients.name()).join("requirements.txt");
            let text = fs::read_to_string(file).unwrap();
            let names = text.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_alphanumeric()));
            for line in names {
                assert!(line.contains("==") && line.ends_with('\\'), "{line}");
            }
        }
    }
}
