//! Clients that are compiled before they run: Go, Java, Rust. Caches of their tools lie below `target/conformance/cache`,
//! so that a second installation downloads and compiles only what changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::exec::Log;
use crate::ground::Ground;
use crate::tools::Clients;

/// The pom compiles for this release; Maven and javac of an older JDK could not.
const JAVA_RELEASE: u32 = 17;
/// What `conformance/go/go.mod` asks for; no other toolchain is downloaded.
const GO_MINOR: u32 = 26;

/// A toolchain that is there but cannot compile these clients.
pub fn too_old(clients: Clients) -> Option<&'static str> {
    match clients {
        Clients::Go => {
            let found = first_line(Command::new("go").args(["env", "GOVERSION"]));
            (number_after(&found, "go1.") < Some(GO_MINOR)).then_some("this machine's Go is older than 1.26")
        }
        Clients::Java => {
            let found = first_line(Command::new("javac").arg("-version"));
            (number_after(&found, "javac ") < Some(JAVA_RELEASE))
                .then_some("this machine's JDK is older than 17")
        }
        _ => None,
    }
}

/// What the compiled program is made of, beside its lock file, in an order that does not change.
pub fn sources(clients: Clients, from: &Path) -> Result<Vec<PathBuf>> {
    let (folder, endings): (PathBuf, &[&str]) = match clients {
        Clients::Go => (from.to_owned(), &["go", "mod"]),
        Clients::Java => (from.join("cases"), &["java"]),
        Clients::Rust => (from.join("src"), &["rs"]),
        _ => return Ok(Vec::new()),
    };
    let entries = fs::read_dir(&folder)?.collect::<std::io::Result<Vec<_>>>()?;
    let ours = |path: &PathBuf| path.extension().is_some_and(|e| endings.iter().any(|ending| e == *ending));
    let mut found: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).filter(ours).collect();
    found.sort();
    Ok(found)
}

pub fn go(ground: &Ground, from: &Path, to: &Path, log: &mut Log) -> Result<()> {
    let mut build = Command::new("go");
    build.current_dir(from).args(["test", "-c", "-o"]).arg(to.join("cases")).arg(".");
    let cache = cache(ground, "go");
    build.env("GOPATH", cache.join("path")).env("GOCACHE", cache.join("build"));
    // Read-only modules could not be removed with `target/`; without cgo the program is like most released ones.
    build.env("GOFLAGS", "-modcacherw -mod=readonly").env("GOTOOLCHAIN", "local").env("CGO_ENABLED", "0");
    log.run(&mut build)
}

pub fn java(ground: &Ground, from: &Path, to: &Path, log: &mut Log) -> Result<()> {
    let libraries = to.join("lib");
    let mut maven = Command::new("mvn");
    maven.current_dir(to).args(["--batch-mode", "--quiet", "--file"]).arg(from.join("pom.xml"));
    maven.arg(format!("-Dmaven.repo.local={}", cache(ground, "java").display()));
    maven.arg("dependency:copy-dependencies").arg(format!("-DoutputDirectory={}", libraries.display()));
    log.run(&mut maven)?;
    only_the_locked(&libraries, &from.join("libraries.sha256"), log)?;
    let mut compile = Command::new("javac");
    compile.arg("-d").arg(to.join("classes")).arg("-cp").arg(libraries.join("*"));
    log.run(compile.args(sources(Clients::Java, from)?))
}

/// Maven has no lock file: ours names every library with its checksum, and no other may be there.
fn only_the_locked(libraries: &Path, lock: &Path, log: &mut Log) -> Result<()> {
    log.run(
        Command::new("sha256sum").current_dir(libraries).args(["--check", "--quiet", "--strict"]).arg(lock),
    )?;
    let text = fs::read_to_string(lock)?;
    for entry in fs::read_dir(libraries)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        if !text.lines().any(|line| line.ends_with(&format!("  {name}"))) {
            bail!("{name} is not in {}", lock.display());
        }
    }
    Ok(())
}

pub fn rust(ground: &Ground, from: &Path, to: &Path, log: &mut Log) -> Result<()> {
    let built = cache(ground, "rust");
    let mut build = ground.cargo(&["build", "--quiet", "--locked", "--manifest-path"]);
    log.run(build.arg(from.join("Cargo.toml")).env("CARGO_TARGET_DIR", &built))?;
    fs::copy(built.join("debug/conformance"), to.join("cases")).map(drop).context("taking the program")
}

fn cache(ground: &Ground, name: &str) -> PathBuf {
    ground.clients("cache").join(name)
}

fn first_line(command: &mut Command) -> String {
    let output = command.output().map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
    String::from_utf8_lossy(&output)
        .lines()
        .find(|line| !line.starts_with("Picked up"))
        .unwrap_or_default()
        .to_owned()
}

/// The number that follows a word.
fn number_after(text: &str, word: &str) -> Option<u32> {
    let rest = &text[text.find(word)? + word.len()..];
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_tools_print_them() {
        assert_eq!(number_after("go1.26.8", "go1."), Some(26));
        assert_eq!(number_after("javac 17.0.15", "javac "), Some(17));
        assert_eq!(number_after("", "go1."), None);
        assert!(number_after("", "go1.") < Some(GO_MINOR));
    }

    #[test]
    fn the_go_asked_for_is_the_one_of_the_module() {
        let module = Ground::find().unwrap().root.join("conformance/go/go.mod");
        let text = fs::read_to_string(module).unwrap();
        assert!(text.contains(&format!("\ngo 1.{GO_MINOR}.")), "{text}");
    }

    #[test]
    fn a_change_of_a_source_makes_the_program_stale() {
        let root = Ground::find().unwrap().root;
        for (clients, name) in [(Clients::Go, "go"), (Clients::Java, "java"), (Clients::Rust, "rust")] {
            let found = sources(clients, &root.join("conformance").join(name)).unwrap();
            assert!(found.len() > 2, "{name}: {found:?}");
        }
    }
}
