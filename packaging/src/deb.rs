//! The Debian package: a tree, five control files, and Debian's own tool to put them together.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{
    DESCRIPTION, MAINTAINER, NAME, SUMMARY, VERSION,
    contents::{self, What},
    linked,
};

/// Debian's folder of units; the Connected Machine agent's drop-in lies there too.
const UNITS: &str = "/lib/systemd";
const SCRIPTS: [(&str, &str); 4] = [
    ("preinst", include_str!("../files/deb/preinst")),
    ("postinst", include_str!("../files/deb/postinst")),
    ("prerm", include_str!("../files/deb/prerm")),
    ("postrm", include_str!("../files/deb/postrm")),
];

pub fn write(program: &[u8], output: &Path) -> Result<PathBuf> {
    let tree = tempfile::tempdir().context("making a folder for the package's tree")?;
    let mut bytes = 0;
    for entry in contents::all(UNITS) {
        let path = tree.path().join(entry.path.trim_start_matches('/'));
        let put = || -> std::io::Result<()> {
            folders(path.parent().unwrap_or(tree.path()))?;
            match entry.what {
                What::Program => fs::write(&path, program)?,
                What::Text(text) => fs::write(&path, text)?,
                What::Link(target) => return symlink(target, &path),
            }
            fs::set_permissions(&path, fs::Permissions::from_mode(entry.mode()))
        };
        put().with_context(|| format!("writing {}", entry.path))?;
        bytes += fs::symlink_metadata(&path)?.len();
    }
    let control = tree.path().join("DEBIAN");
    folders(&control)?;
    fs::write(control.join("control"), about(program, bytes.div_ceil(1024))?)?;
    for (name, text) in SCRIPTS {
        fs::write(control.join(name), text)?;
        fs::set_permissions(control.join(name), fs::Permissions::from_mode(0o755))?;
    }
    let package = output.join(format!("{NAME}_{VERSION}_{}.deb", architecture()?));
    let mut build = Command::new("dpkg-deb");
    build.args(["--build", "--root-owner-group", "-Zxz"]).arg(tree.path()).arg(&package);
    let built =
        build.output().context("starting dpkg-deb: the .deb is made on Debian and what comes of it")?;
    if !built.status.success() {
        bail!("dpkg-deb: {}", String::from_utf8_lossy(&built.stderr).trim());
    }
    Ok(package)
}

/// Whatever the umask, everybody may look into the package's folders.
fn folders(path: &Path) -> std::io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        folders(parent)?;
    }
    fs::create_dir(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

fn about(program: &[u8], kibibytes: u64) -> Result<String> {
    let libc =
        linked::glibc(program).map(|(major, minor)| format!("Depends: libc6 (>= {major}.{minor}), passwd\n"));
    Ok(format!(
        "Package: {NAME}\nVersion: {VERSION}\nArchitecture: {}\nMaintainer: {MAINTAINER}\nInstalled-Size: {kibibytes}\n\
         {}Recommends: ca-certificates, systemd\nSection: admin\nPriority: optional\nDescription: {SUMMARY}\n {DESCRIPTION}\n",
        architecture()?,
        libc.unwrap_or_default(),
    ))
}

fn architecture() -> Result<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("amd64"),
        "aarch64" => Ok("arm64"),
        other => bail!("no name is known here that Debian has for {other}"),
    }
}
