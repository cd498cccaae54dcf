//! Where things are in this checkout, and nowhere outside it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// The checkout: its root, and the folders below `target/` that tests may fill.
pub struct Ground {
    pub root: PathBuf,
    pub target: PathBuf,
}

impl Ground {
    pub fn find() -> Result<Self> {
        let root =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the checkout")?.to_owned();
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let target = if target.is_absolute() { target } else { root.join(target) };
        Ok(Self { root, target })
    }

    /// The cargo that runs us, so that a `+toolchain` of the caller stays in force.
    pub fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root).args(arguments);
        command
    }

    /// `target/conformance/NAME`, where the clients of one lock file are installed.
    pub fn clients(&self, name: &str) -> PathBuf {
        self.target.join("conformance").join(name)
    }

    /// `target/test-logs/NAME.log`.
    pub fn log_file(&self, name: &str) -> PathBuf {
        self.target.join("test-logs").join(format!("{name}.log"))
    }

    /// An empty `target/test-data/NAME`; what an earlier run left there is gone.
    pub fn fresh_data(&self, name: &str) -> Result<PathBuf> {
        let folder = self.target.join("test-data").join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).with_context(|| format!("emptying {}", folder.display()))?;
        }
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}
