use std::{
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
    sync::Arc,
};

use cs_broker::{ChallengeDesk, ChallengeDirectory};
use cs_time::{FakeClock, SeededChance};

struct World {
    dir: tempfile::TempDir,
    clock: Arc<FakeClock>,
    desk: ChallengeDesk,
}

fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o750)).unwrap();
    let clock = Arc::new(FakeClock::at_seconds(1_800_000_000));
    let directory = ChallengeDirectory::open(dir.path()).unwrap();
    let desk = ChallengeDesk::new(directory, Arc::clone(&clock) as _, Arc::new(SeededChance::new(5)));
    World { dir, clock, desk }
}

fn files(dir: &Path) -> usize {
    std::fs::read_dir(dir).unwrap().count()
}

#[test]
fn a13_an_answer_counts_once_and_its_file_goes() {
    let world = world();
    let opened = world.desk.open(None).unwrap();
    let answer = std::fs::read_to_string(&opened.path).unwrap();
    assert!(world.desk.accept(&answer));
    assert!(!opened.path.exists());
    assert!(!world.desk.accept(&answer));
}

#[test]
fn a15_an_answer_after_its_time_is_refused_and_swept() {
    let world = world();
    let opened = world.desk.open(None).unwrap();
    let late = std::fs::read_to_string(world.desk.open(None).unwrap().path).unwrap();
    world.clock.advance(61);
    assert!(!world.desk.accept(&late));
    world.desk.sweep();
    assert!(!opened.path.exists());
    assert_eq!(world.desk.open_count(), 0);
}

#[test]
fn a16_open_challenges_are_bounded_and_others_are_still_served() {
    let world = world();
    let mine = world.desk.open(Some(1000)).unwrap();
    for _ in 0..10_000 {
        world.desk.open(Some(666)).unwrap();
    }
    assert!(files(world.dir.path()) <= 513);
    let answer = std::fs::read_to_string(mine.path).unwrap();
    assert!(world.desk.accept(&answer), "another user's flood evicts only its own");
}

#[test]
fn a17_a_wrong_answer_of_the_same_length_is_refused() {
    let world = world();
    let opened = world.desk.open(None).unwrap();
    let mut answer = std::fs::read_to_string(opened.path).unwrap();
    let last = if answer.pop() == Some('A') { 'B' } else { 'A' };
    answer.push(last);
    assert!(!world.desk.accept(&answer));
}

#[test]
fn a19_links_and_foreign_directories_are_refused() {
    let world = world();
    let link = world.dir.path().join("link");
    symlink(world.dir.path(), &link).unwrap();
    assert!(ChallengeDirectory::open(&link).is_err());
    let open = world.dir.path().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
    assert!(ChallengeDirectory::open(&open).is_err());
    let target = world.dir.path().join("target");
    let directory = ChallengeDirectory::open(world.dir.path()).unwrap();
    symlink(&target, world.dir.path().join(".x.key.new")).unwrap();
    assert!(directory.create("x.key", "secret").is_err());
    assert!(!target.exists(), "a planted link is not followed");
}

#[test]
fn a21_challenges_are_for_owner_and_group_only() {
    let world = world();
    let opened = world.desk.open(None).unwrap();
    let metadata = std::fs::metadata(&opened.path).unwrap();
    assert_eq!(metadata.mode() & 0o777, 0o440);
    let content = std::fs::read_to_string(&opened.path).unwrap();
    assert!(
        content.len() == 43 && content.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    );
}

#[test]
fn a22_no_other_name_than_the_finished_file_is_left() {
    let world = world();
    world.desk.open(None).unwrap();
    assert_eq!(files(world.dir.path()), 1);
}

#[test]
fn a23_a_full_disk_leaves_no_empty_file() {
    let directory = ChallengeDirectory::open(world().dir.path());
    // The directory is gone: creating fails like on a full disk, and nothing appears.
    assert!(directory.is_ok_and(|d| d.create("x.key", "secret").is_err()));
}

#[test]
fn left_over_challenges_are_removed_at_the_start() {
    let world = world();
    let opened = world.desk.open(None).unwrap();
    ChallengeDirectory::open(world.dir.path()).unwrap();
    assert!(!opened.path.exists());
}
