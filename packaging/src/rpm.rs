//! The RPM package, written without any tool of that world.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rpm::{BuildConfig, CompressionType, Dependency, FileOptions, PackageBuilder};

use crate::{
    DESCRIPTION, NAME, SUMMARY, VERSION,
    contents::{self, What},
    linked,
};

const UNITS: &str = "/usr/lib/systemd";

pub fn write(program: &[u8], output: &Path) -> Result<PathBuf> {
    let architecture = std::env::consts::ARCH;
    let mut builder = PackageBuilder::new(NAME, VERSION, "Apache-2.0", architecture, SUMMARY);
    builder
        .using_config(BuildConfig::v4().compression(CompressionType::Gzip))
        .release("1")
        .description(DESCRIPTION)
        // Two agents would share a port, a directory of challenges and the file that clients look for.
        .conflicts(Dependency::any("azcmagent"))
        .requires(Dependency::script_pre("/bin/sh"))
        .requires(Dependency::script_post("/bin/sh"))
        .requires(Dependency::script_post("shadow-utils"))
        .pre_install_script(include_str!("../files/rpm/pre"))
        .post_install_script(include_str!("../files/rpm/post"))
        .pre_uninstall_script(include_str!("../files/rpm/preun"))
        .post_uninstall_script(include_str!("../files/rpm/postun"));
    if let Some((major, minor)) = linked::glibc(program) {
        builder.requires(Dependency::any(format!("libc.so.6(GLIBC_{major}.{minor})(64bit)")));
    }
    for folder in contents::FOLDERS {
        let options = FileOptions::dir(folder).permissions(0o755);
        builder.with_dir_entry(options).with_context(|| format!("adding {folder}"))?;
    }
    for entry in contents::all(UNITS) {
        let permissions = u16::try_from(entry.mode()).context("a file's mode")?;
        let options =
            FileOptions::new(entry.path.clone()).permissions(permissions).user("root").group("root");
        let added = match entry.what {
            What::Program => builder.with_file_contents(program, options),
            What::Text(text) => builder.with_file_contents(text, options),
            What::Link(target) => builder.with_symlink(FileOptions::symlink(entry.path.clone(), target)),
        };
        added.with_context(|| format!("adding {}", entry.path))?;
    }
    let package = builder.build().context("building the .rpm")?;
    let path = output.join(format!("{NAME}-{VERSION}-1.{architecture}.rpm"));
    package.write_file(&path).with_context(|| format!("writing {}", path.display()))?;
    Ok(path)
}
