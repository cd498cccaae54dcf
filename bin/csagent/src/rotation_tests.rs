//! Rotation against a small site that keeps the rules of the real one, ended after every single step.

use std::{
    fs,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use cs_time::MachineChance;

use super::*;

const NOW: i64 = 1_800_000_000;

/// What the site knows of the machine.
#[derive(Default)]
struct Site {
    known: Mutex<Known>,
    /// Statements arrive, their answers do not.
    mute: AtomicBool,
    away: AtomicBool,
}

#[derive(Default, Clone)]
struct Known {
    keys: Vec<String>,
    offered: Option<String>,
    generation: i64,
    last: Option<(i64, String)>,
    forked: bool,
}

fn print(key: &MachineKey) -> String {
    key.public().thumbprint()
}

impl Site {
    fn of(key: &MachineKey) -> Self {
        let known = Known { keys: vec![print(key)], generation: 1, ..Known::default() };
        Self { known: Mutex::new(known), ..Self::default() }
    }

    fn knows(&self, key: &MachineKey) -> bool {
        self.known.lock().unwrap().keys.contains(&print(key))
    }

    fn known(&self) -> Known {
        self.known.lock().unwrap().clone()
    }

    fn answer<T>(&self, answer: T) -> Result<T, Refused> {
        if self.mute.load(Ordering::SeqCst) { Err(Refused::Later("lost".into())) } else { Ok(answer) }
    }

    fn reach(&self) -> Result<(), Refused> {
        if self.away.load(Ordering::SeqCst) { Err(Refused::Later("away".into())) } else { Ok(()) }
    }
}

#[async_trait]
impl Hearer for Site {
    async fn beat(&self, key: &MachineKey, counter: i64, nonce: &str) -> Result<i64, Refused> {
        self.reach()?;
        let mut known = self.known.lock().unwrap();
        if known.forked {
            return Err(Refused::Revoked("quarantined".into()));
        }
        if !known.keys.contains(&print(key)) {
            return Err(Refused::UnknownKey("unknown".into()));
        }
        let last = known.last.clone();
        let takes = last.is_none_or(|(n, word)| counter > n || counter == n && word == nonce);
        if !takes {
            known.forked = true;
            return Err(Refused::Revoked("forked".into()));
        }
        if known.offered.as_deref() == Some(&print(key)) {
            known.keys = vec![print(key)];
            known.offered = None;
            known.generation += 1;
        }
        known.last = Some((counter, nonce.to_owned()));
        self.answer(known.generation)
    }

    async fn offer(&self, key: &MachineKey, next: &MachineKey) -> Result<(), Refused> {
        self.reach()?;
        let mut known = self.known.lock().unwrap();
        if !known.keys.contains(&print(key)) {
            return Err(Refused::UnknownKey("unknown".into()));
        }
        if !known.keys.contains(&print(next)) {
            let before = known.offered.replace(print(next));
            known.keys.retain(|k| Some(k) != before.as_ref());
            known.keys.push(print(next));
        }
        self.answer(())
    }
}

struct Machine {
    _dir: tempfile::TempDir,
    place: Place,
    site: Site,
}

impl Machine {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::new(dir.path());
        let key = MachineKey::generate().unwrap();
        place.save_key(&key).unwrap();
        Self { site: Site::of(&key), place, _dir: dir }
    }

    async fn beat(&self, at: i64, every: Option<i64>, mark: Mark<'_>) -> Outcome {
        let when = Timestamp::from_seconds(at);
        beat(&self.place, &self.site, (&MachineChance, when), every, mark).await.unwrap()
    }

    async fn whole(&self, at: i64, every: Option<i64>) -> Outcome {
        self.beat(at, every, &mut |_| ControlFlow::Continue(())).await
    }

    fn files(&self) -> Vec<String> {
        let all = fs::read_dir(self.place.folder()).unwrap();
        let mut all: Vec<String> = all.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        all.sort();
        all
    }
}

#[tokio::test]
async fn c04_a_crash_between_any_two_steps_of_a_rotation_leaves_a_working_machine() {
    let mut steps_of_the_whole = 0;
    for ended_after in 0.. {
        let machine = Machine::new();
        machine.whole(NOW, Some(60)).await;
        let mut left = ended_after;
        let mut seen = 0;
        let outcome = machine
            .beat(NOW + 60, Some(60), &mut |_| {
                seen += 1;
                left -= 1;
                if left < 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
            .await;
        let key = machine.place.key().unwrap();
        assert!(machine.site.knows(&key), "after {ended_after} steps the key in its place is good");
        assert!(!machine.site.known().forked, "after {ended_after} steps");
        // The next process knows nothing but what is on disk.
        for _ in 0..2 {
            machine.whole(NOW + 61, Some(60)).await;
        }
        let (known, key) = (machine.site.known(), machine.place.key().unwrap());
        assert_eq!((known.generation, known.forked), (2, false), "after {ended_after} steps");
        assert_eq!(known.keys, [print(&key)], "one key, on both sides, after {ended_after} steps");
        assert_eq!(machine.files(), [BEATS, KEY], "nothing is left over after {ended_after} steps");
        assert_eq!(machine.place.beats().unwrap().generation, 2);
        if outcome == Outcome::NewKey {
            steps_of_the_whole = seen;
            break;
        }
    }
    assert!(steps_of_the_whole >= 11, "{steps_of_the_whole} steps were interrupted");
}

#[tokio::test]
async fn c04_a_lost_answer_is_asked_for_again_and_is_no_copy() {
    let machine = Machine::new();
    machine.whole(NOW, None).await;
    machine.site.mute.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        assert!(matches!(machine.whole(NOW, None).await, Outcome::Refused(Refused::Later(_))));
    }
    machine.site.mute.store(false, Ordering::SeqCst);
    assert_eq!(machine.whole(NOW, None).await, Outcome::Good);
    assert_eq!((machine.site.known().last.unwrap().0, machine.site.known().forked), (2, false));
    // Also in the middle of a rotation, and while the site is away.
    machine.site.mute.store(true, Ordering::SeqCst);
    machine.whole(NOW + 60, Some(60)).await;
    machine.site.mute.store(false, Ordering::SeqCst);
    machine.site.away.store(true, Ordering::SeqCst);
    machine.whole(NOW + 60, Some(60)).await;
    machine.site.away.store(false, Ordering::SeqCst);
    assert_eq!(machine.whole(NOW + 60, Some(60)).await, Outcome::NewKey);
    assert_eq!((machine.site.known().generation, machine.site.known().forked), (2, false));
}

#[tokio::test]
async fn c04_two_agents_on_copies_of_one_disk_are_found_out() {
    let one = Machine::new();
    one.whole(NOW, None).await;
    let other = tempfile::tempdir().unwrap();
    for name in one.files() {
        fs::copy(one.place.at(&name), other.path().join(name)).unwrap();
    }
    let other = Place::new(other.path());
    let mut go_on = |_: &'static str| ControlFlow::Continue(());
    let now = (&MachineChance as &dyn Chance, Timestamp::from_seconds(NOW));
    assert_eq!(beat(&other, &one.site, now, None, &mut go_on).await.unwrap(), Outcome::Good, "alone so far");
    for _ in 0..2 {
        let refused = one.whole(NOW, None).await;
        assert!(matches!(refused, Outcome::Refused(Refused::Revoked(_))), "{refused:?}");
        let refused = beat(&other, &one.site, now, None, &mut go_on).await.unwrap();
        assert!(matches!(refused, Outcome::Refused(Refused::Revoked(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn a_site_that_was_put_back_gets_the_key_it_knows() {
    let machine = Machine::new();
    machine.whole(NOW, Some(60)).await;
    let backup = machine.site.known();
    // Ended when the new key is in its place and was not used yet; the site loses what it heard since.
    machine
        .beat(NOW + 60, Some(60), &mut |at| {
            if at == "the next key is in its place" {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
        .await;
    *machine.site.known.lock().unwrap() = backup;
    assert!(!machine.site.knows(&machine.place.key().unwrap()));
    assert_eq!(machine.whole(NOW + 61, Some(60)).await, Outcome::NewKey);
    assert!(machine.site.knows(&machine.place.key().unwrap()));
    machine.whole(NOW + 130, Some(60)).await;
    assert_eq!((machine.site.known().generation, machine.site.known().forked), (2, false));
}

#[tokio::test]
async fn the_key_is_replaced_when_it_is_time_and_not_before() {
    let machine = Machine::new();
    assert_eq!(machine.whole(NOW, Some(60)).await, Outcome::Good, "its age is not known: it counts from now");
    assert_eq!(machine.whole(NOW + 59, Some(60)).await, Outcome::Good);
    assert_eq!(machine.whole(NOW + 59_000, None).await, Outcome::Good, "switched off");
    assert_eq!(machine.whole(NOW + 60, Some(60)).await, Outcome::NewKey);
    assert_eq!(machine.whole(NOW - 90_000, Some(60)).await, Outcome::Good, "a clock that was put back");
    assert_eq!(machine.whole(NOW - 89_941, Some(60)).await, Outcome::Good);
    assert_eq!(machine.whole(NOW - 89_940, Some(60)).await, Outcome::NewKey);
}

#[tokio::test]
async fn a_heartbeat_that_cannot_be_kept_is_not_sent() {
    let machine = Machine::new();
    machine.whole(NOW, None).await;
    let before = machine.site.known().last;
    fs::write(machine.place.at(BEATS), "{half").unwrap();
    let when = (&MachineChance as &dyn Chance, Timestamp::from_seconds(NOW));
    let mut go_on = |_: &'static str| ControlFlow::Continue(());
    assert!(beat(&machine.place, &machine.site, when, None, &mut go_on).await.is_err());
    assert_eq!(machine.site.known().last, before);
}
