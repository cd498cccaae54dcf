//! Fuzz targets: every parser that meets bytes of strangers, by name.
//!
//! A target takes any bytes, reads them as its parser would, and asserts what must hold whatever they are: no panic,
//! what is written is read back the same, nothing grows beyond its bounds. [`TARGETS`] is the one table of them;
//! `cargo xtask test --only fuzz` runs each under a coverage-guided engine (`src/main.rs`, feature `engine`), and the
//! tests of this crate run each over its seeds and over every input that once broke one (`regressions/`).

#![expect(clippy::expect_used, reason = "a broken promise is a panic: that is what the engine looks for")]

mod agent;
mod core;
mod machine;
mod metadata;
mod wire;

/// One parser.
pub struct Target {
    pub name: &'static str,
    /// Panics when a promise is broken.
    pub run: fn(&[u8]),
    /// Good input to start from.
    pub seeds: &'static [&'static [u8]],
}

/// Every target, by room.
pub const TARGETS: &[&[Target]] =
    &[core::TARGETS, wire::TARGETS, machine::TARGETS, metadata::TARGETS, agent::TARGETS];

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    all().find(|target| target.name == name)
}

pub fn all() -> impl Iterator<Item = &'static Target> {
    TARGETS.iter().copied().flatten()
}

/// The bytes as text, where they are text.
fn text(bytes: &[u8], then: impl FnOnce(&str)) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        then(text);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_target_has_a_name_of_its_own_and_passes_its_seeds() {
        let mut names: Vec<_> = all().map(|target| target.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all().count());
        for target in all() {
            assert!(!target.seeds.is_empty(), "{}", target.name);
            (target.run)(b"");
            for seed in target.seeds {
                (target.run)(seed);
                // Cut anywhere, as networks cut.
                (0..seed.len()).for_each(|end| (target.run)(&seed[..end]));
            }
        }
    }

    #[test]
    fn what_once_broke_a_target_does_so_no_more() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            // TARGET-what-it-was; a read-me has no target.
            let found = all().find(|target| name.split_once('-').is_some_and(|(of, _)| of == target.name));
            assert!(found.is_some() || name == "README.md", "{name} is of no target");
            if let Some(target) = found {
                (target.run)(&std::fs::read(&path).unwrap());
            }
        }
    }
}
