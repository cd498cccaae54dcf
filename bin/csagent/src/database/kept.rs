//! Which certificates are kept fresh, and keeping them so.

use std::{collections::HashMap, path::PathBuf, time::Duration};

use cs_time::{Chance, Clock, MachineChance, MachineClock};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Wanted, folder::CERTIFICATE, folder::Folder, renew};
use crate::{
    failure::{Failure, Kind},
    state::Place,
};

const FILE: &str = "databases.json";
/// Looked at this often: what was added or removed on disk is seen so soon.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// After a failure the site is asked again so much later, in seconds.
const AGAIN_SECONDS: i64 = 15;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    certificates: Vec<Wanted>,
}

/// When a certificate is renewed, in the machine's seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Turn {
    since: i64,
    due: i64,
    /// The last time failed: it is waited for also where no certificate is there.
    failed: bool,
}

pub(super) fn add(place: &Place, wanted: &Wanted) -> Result<(), Failure> {
    change(place, |kept| {
        kept.certificates
            .retain(|k| k.directory != wanted.directory && !is_same(k, &wanted.server, &wanted.role));
        kept.certificates.push(wanted.clone());
    })
}

pub(super) fn forget(place: &Place, server: &str, role: &str) -> Result<(), Failure> {
    let kept: Kept = place.read(FILE)?.unwrap_or_default();
    let known = kept.certificates.iter().find(|k| is_same(k, server, role)).ok_or_else(|| {
        Failure::new(Kind::WrongState, format!("no certificate of the role '{role}' is kept for that server"))
            .hint("`csagent database list` shows them")
    })?;
    // First the entry, or the daemon would write the files anew.
    change(place, |kept| kept.certificates.retain(|k| !is_same(k, server, role)))?;
    Folder::open(&known.directory, None)?.remove();
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer of the verb")]
pub(super) fn list(place: &Place, as_json: bool) -> Result<(), Failure> {
    let kept: Kept = place.read(FILE)?.unwrap_or_default();
    if as_json {
        println!("{}", json!(kept.certificates));
        return Ok(());
    }
    for one in &kept.certificates {
        println!("{:<24} {:<32} {}", super::name_of(&one.server), one.role, one.directory.display());
    }
    Ok(())
}

fn change(place: &Place, change: impl FnOnce(&mut Kept)) -> Result<(), Failure> {
    let _lock = place.lock()?;
    let mut kept: Kept = place.read(FILE)?.unwrap_or_default();
    change(&mut kept);
    place.write(FILE, &serde_json::to_vec_pretty(&kept).unwrap_or_default(), 0o644)
}

fn is_same(kept: &Wanted, server: &str, role: &str) -> bool {
    kept.server.eq_ignore_ascii_case(server) && kept.role == role
}

/// Renews what is due, for ever. A certificate that is missing is due; others are between a third and a half of
/// their life.
pub async fn keep_fresh(place: Place) {
    let mut turns: HashMap<PathBuf, Turn> = HashMap::new();
    loop {
        let kept: Kept = place.read(FILE).ok().flatten().unwrap_or_default();
        turns.retain(|directory, _| kept.certificates.iter().any(|k| k.directory == *directory));
        for wanted in &kept.certificates {
            look(&place, wanted, &mut turns).await;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn look(place: &Place, wanted: &Wanted, turns: &mut HashMap<PathBuf, Turn>) {
    let now = MachineClock.now().seconds();
    let there = wanted.directory.join(CERTIFICATE).exists();
    if place.stamp().is_none() {
        // `disconnect` ends this too: what is left would be good for a while.
        turns.remove(&wanted.directory);
        if there && let Ok(folder) = Folder::open(&wanted.directory, None) {
            folder.remove_certificate();
        }
        return;
    }
    let turn = turns.get(&wanted.directory).copied();
    if turn.is_some_and(|turn| !turn.is_due(now, there)) {
        return;
    }
    let next = match renew(place, wanted).await {
        Ok(given) => {
            tracing::info!(
                role = wanted.role,
                not_after = given.not_after,
                "a database certificate was renewed"
            );
            Turn::of_life(now, given.life_seconds)
        }
        Err(failure) => {
            tracing::warn!(
                role = wanted.role,
                cause = failure.message,
                "a database certificate was not renewed"
            );
            Turn::after_failure(now)
        }
    };
    turns.insert(wanted.directory.clone(), next);
}

impl Turn {
    /// Between a third and a half of its life, at random, so that a fleet does not knock all at once.
    fn of_life(now: i64, life: i64) -> Self {
        let mut byte = [0];
        MachineChance.fill(&mut byte);
        let spread = life * i64::from(byte[0]) / (6 * 255);
        Self { since: now, due: now + life / 3 + spread, failed: false }
    }

    fn after_failure(now: i64) -> Self {
        Self { since: now, due: now + AGAIN_SECONDS, failed: true }
    }

    /// A clock that was put back makes it due: nobody knows how much of its life is left.
    fn is_due(self, now: i64, there: bool) -> bool {
        now >= self.due || now < self.since || (!there && !self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_renewed_well_before_its_end() {
        for _ in 0..200 {
            let turn = Turn::of_life(1000, 3600);
            assert!((2200..=2800).contains(&turn.due), "{turn:?}");
            assert!(!turn.is_due(2199, true) && turn.is_due(2801, true));
            assert!(turn.is_due(1001, false), "somebody removed it");
            assert!(turn.is_due(900, true), "the clock was put back");
        }
        let failed = Turn::after_failure(1000);
        // One that lives so short that its turn comes when a failure's would.
        let short = Turn { failed: false, ..failed };
        assert!(short.is_due(1001, false) && !short.is_due(1001, true));
        assert!(!failed.is_due(1001, false) && failed.is_due(1000 + AGAIN_SECONDS, false));
    }

    #[test]
    fn a_certificate_is_kept_once_and_forgotten_with_its_files() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::new(&dir.path().join("agent"));
        let at = |directory: &str| Wanted {
            server: "/S/lab".into(),
            role: "r".into(),
            directory: dir.path().join(directory),
            owner: None,
            identity: None,
            life_seconds: None,
        };
        add(&place, &at("one")).unwrap();
        add(&place, &at("two")).unwrap();
        let kept: Kept = place.read(FILE).unwrap().unwrap();
        assert_eq!(kept.certificates, [at("two")]);
        Folder::open(&at("two").directory, None).unwrap().key().unwrap();
        forget(&place, "/s/LAB", "r").unwrap();
        assert!(!at("two").directory.exists());
        assert_eq!(forget(&place, "/s/lab", "r").unwrap_err().kind, Kind::WrongState);
    }
}
