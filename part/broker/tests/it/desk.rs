use std::{
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Barrier},
};

use cs_broker::{ChallengeDesk, ChallengeDirectory, Claim, DeskError};
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

impl World {
    fn challenge(&self, user: Option<u32>) -> (PathBuf, String) {
        let path = self.desk.open(user).unwrap().path;
        let answer = std::fs::read_to_string(&path).unwrap();
        (path, answer)
    }

    /// Claims and spends.
    fn accepts(&self, answer: &str) -> bool {
        self.desk.claim(answer).map(Claim::spend).is_some()
    }
}

#[test]
fn a13_an_answer_counts_once_and_its_file_goes() {
    let world = world();
    let (path, answer) = world.challenge(None);
    assert!(world.accepts(&answer));
    assert!(!path.exists());
    assert!(!world.accepts(&answer));
}

#[test]
fn a13_a_claim_that_is_not_spent_is_given_back() {
    let world = world();
    let (path, answer) = world.challenge(None);
    let claim = world.desk.claim(&answer).unwrap();
    assert!(world.desk.claim(&answer).is_none(), "nobody else has it meanwhile");
    drop(claim);
    assert!(path.exists());
    assert!(world.accepts(&answer));
}

#[test]
fn a13_of_racing_callers_one_has_the_answer() {
    let world = world();
    for _ in 0..50 {
        let (_, answer) = world.challenge(None);
        let start = Barrier::new(8);
        let race = || {
            start.wait();
            world.accepts(&answer)
        };
        let winners = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(race)).collect();
            all.into_iter().map(|t| t.join().unwrap()).filter(|won| *won).count()
        });
        assert_eq!(winners, 1);
    }
}

#[test]
fn a15_an_answer_after_its_time_is_refused_and_swept() {
    let world = world();
    let (path, _) = world.challenge(None);
    let (_, late) = world.challenge(None);
    world.clock.advance(60);
    assert!(!world.accepts(&late));
    world.desk.sweep();
    assert!(!path.exists());
    assert_eq!(world.desk.open_count(), 0);
}

#[test]
fn a15_a_clock_that_jumps_ends_what_is_open() {
    for jump in [-3600, 3600] {
        let world = world();
        let (path, answer) = world.challenge(None);
        world.clock.advance(jump);
        assert!(!world.accepts(&answer), "{jump}");
        world.desk.sweep();
        assert!(!path.exists(), "{jump}");
        let (_, fresh) = world.challenge(None);
        assert!(world.accepts(&fresh), "{jump}");
    }
    let world = world();
    let (_, answer) = world.challenge(None);
    world.clock.advance(-2);
    assert!(world.accepts(&answer), "a clock that is set right by a moment ends nothing");
}

#[test]
fn a16_a_flood_is_bounded_and_told_to_wait_and_others_are_served() {
    let world = world();
    let (_, others) = world.challenge(Some(1000));
    let (_, first) = world.challenge(Some(666));
    let opened = (0..10_000).filter(|_| world.desk.open(Some(666)).is_ok()).count();
    assert_eq!((opened, files(world.dir.path())), (767, 769), "bounded files");
    assert!(matches!(world.desk.open(Some(666)), Err(DeskError::Crowded)));
    assert!(world.accepts(&first), "the flood took nothing from an honest program of the same user");
    assert!(world.accepts(&others));
    let (_, more) = world.challenge(Some(1000));
    assert!(world.accepts(&more), "others are served meanwhile");
}

#[test]
fn a16_after_a_second_the_users_own_oldest_makes_room() {
    let world = world();
    let (_, others) = world.challenge(Some(1000));
    let (oldest, gone) = world.challenge(Some(666));
    while world.desk.open(Some(666)).is_ok() {}
    world.clock.advance(1);
    for _ in 0..10_000 {
        let _ = world.desk.open(Some(666));
    }
    let (_, mine) = {
        world.clock.advance(1);
        world.challenge(Some(666))
    };
    assert!(files(world.dir.path()) <= 769);
    assert!(!oldest.exists() && !world.accepts(&gone));
    assert!(world.accepts(&mine) && world.accepts(&others));
}

#[test]
fn a16_many_users_together_are_bounded_too() {
    let world = world();
    for user in 0..20 {
        for _ in 0..500 {
            let _ = world.desk.open(Some(user));
        }
    }
    assert!(files(world.dir.path()) <= 4096);
    let (_, mine) = world.challenge(Some(1000));
    assert!(world.accepts(&mine), "who holds the most made room");
}

#[test]
fn a17_a_wrong_answer_of_the_same_length_is_refused() {
    let world = world();
    let opened = world.desk.open(None).unwrap();
    let mut answer = std::fs::read_to_string(opened.path).unwrap();
    let last = if answer.pop() == Some('A') { 'B' } else { 'A' };
    answer.push(last);
    assert!(!world.accepts(&answer));
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
    symlink(&target, world.dir.path().join("x.key")).unwrap();
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

/// As another user of the machine; only root can try that.
#[test]
fn a21_others_can_neither_read_nor_list_challenges() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let base = tempfile::tempdir().unwrap();
    std::fs::set_permissions(base.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let tokens = base.path().join("tokens");
    let clock = Arc::new(FakeClock::at_seconds(1_800_000_000));
    let directory = ChallengeDirectory::open(&tokens).unwrap();
    let desk = ChallengeDesk::new(directory, clock, Arc::new(SeededChance::new(5)));
    let path = desk.open(None).unwrap().path;
    let group = std::fs::metadata(&path).unwrap().gid().to_string();
    let cat = |groups: &[&str], what: &str, at: &Path| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534"]).args(groups).arg(what).arg(at);
        command.output().unwrap()
    };
    for (what, at) in [("cat", path.as_path()), ("ls", tokens.as_path())] {
        let stranger = cat(&["--clear-groups"], what, at);
        assert!(!stranger.status.success() && stranger.stdout.is_empty(), "{what}");
        assert!(String::from_utf8_lossy(&stranger.stderr).contains("Permission denied"), "{what}");
    }
    let member = cat(&["--groups", &group], "cat", &path);
    assert_eq!(member.stdout.len(), 43, "{}", String::from_utf8_lossy(&member.stderr));
}

#[test]
fn a22_no_other_name_than_the_finished_file_is_left() {
    let world = world();
    world.desk.open(None).unwrap();
    assert_eq!(files(world.dir.path()), 1);
}

/// Where the test below finds itself again, on a disk that is full.
const FULL: &str = "CS_BROKER_TEST_FULL_DISK";

#[test]
fn a23_a_full_disk_leaves_no_empty_file() {
    if let Some(dir) = std::env::var_os(FULL) {
        let directory = ChallengeDirectory::open(Path::new(&dir)).unwrap();
        let error = directory.create("x.key", "secret").unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
        assert_eq!(files(Path::new(&dir)), 1, "only what filled it");
        return;
    }
    // In a mount namespace of its own: a file system of one page, and that is taken.
    let script = r#"mount -t tmpfs -o size=4096,mode=0750 full "$1" && head -c 4096 /dev/zero >"$1/rest" &&
        exec "$2" --exact desk::a23_a_full_disk_leaves_no_empty_file"#;
    let dir = tempfile::tempdir().unwrap();
    let inside = Command::new("unshare")
        .args(["-rm", "sh", "-c", script, "sh"])
        .arg(dir.path())
        .arg(std::env::current_exe().unwrap())
        .env(FULL, dir.path())
        .output()
        .unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&inside.stdout), String::from_utf8_lossy(&inside.stderr));
    assert!(inside.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn a19_a_directory_that_is_removed_is_made_anew() {
    let world = world();
    std::fs::remove_dir_all(world.dir.path()).unwrap();
    let (_, answer) = world.challenge(None);
    assert_eq!(std::fs::metadata(world.dir.path()).unwrap().mode() & 0o7777, 0o750);
    assert!(world.accepts(&answer));
}

#[test]
fn a19_what_is_put_in_the_directorys_place_is_never_followed() {
    let world = world();
    let elsewhere = tempfile::tempdir().unwrap();
    let moved = elsewhere.path().join("moved");
    std::fs::rename(world.dir.path(), &moved).unwrap();
    let target = elsewhere.path().join("target");
    std::fs::create_dir(&target).unwrap();
    symlink(&target, world.dir.path()).unwrap();
    assert!(matches!(world.desk.open(None), Err(DeskError::File(_))));
    assert_eq!((files(&target), files(&moved)), (0, 0));
    std::fs::remove_file(world.dir.path()).unwrap();
    std::fs::create_dir(world.dir.path()).unwrap();
    std::fs::set_permissions(world.dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(world.desk.open(None), Err(DeskError::File(_))), "open to everybody");
    std::fs::remove_dir(world.dir.path()).unwrap();
    let (_, answer) = world.challenge(None);
    assert!(world.accepts(&answer), "mended once it is gone");
}

/// Where the test below finds itself again, with another umask.
const UMASK: &str = "CS_BROKER_TEST_UMASK";

#[test]
fn a21_modes_do_not_depend_on_the_umask() {
    let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o7777;
    if let Some(dir) = std::env::var_os(UMASK) {
        let tokens = Path::new(&dir).join("opt/agent/tokens");
        let directory = ChallengeDirectory::open(&tokens).unwrap();
        directory.create("x.key", "secret").unwrap();
        assert_eq!((mode(&tokens), mode(&tokens.join("x.key"))), (0o750, 0o440));
        assert_eq!(mode(tokens.parent().unwrap()), 0o755, "it must lead there");
        return;
    }
    for umask in ["0000", "0077", "0777"] {
        let dir = tempfile::tempdir().unwrap();
        let inside = Command::new("sh")
            .args([
                "-c",
                r#"umask "$1" && exec "$2" --exact desk::a21_modes_do_not_depend_on_the_umask"#,
                "sh",
                umask,
            ])
            .arg(std::env::current_exe().unwrap())
            .env(UMASK, dir.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&inside.stdout);
        assert!(inside.status.success() && said.contains("1 passed"), "{umask}: {said}");
    }
}

/// A desk on a directory that others use too, at the time its files were made.
fn beside(world: &World, seconds: i64) -> (Arc<FakeClock>, ChallengeDesk) {
    let clock = Arc::new(FakeClock::at_seconds(seconds));
    let directory = ChallengeDirectory::open(world.dir.path()).unwrap();
    let desk = ChallengeDesk::new(directory, Arc::clone(&clock) as _, Arc::new(SeededChance::new(9)));
    (clock, desk)
}

#[test]
fn a33_two_agents_on_one_directory_leave_each_others_challenges_alone() {
    let world = world();
    let (path, answer) = world.challenge(None);
    let made = std::fs::metadata(&path).unwrap().mtime();
    let (clock, other) = beside(&world, made);
    assert!(path.exists(), "not at the other's start");
    let opened = other.open(None).unwrap().path;
    other.sweep();
    clock.advance(59);
    other.sweep();
    assert!(path.exists() && opened.exists());
    assert!(world.accepts(&answer));
    assert!(opened.exists());
}

#[test]
fn a33_what_a_killed_agent_left_goes_once_it_is_nobodys() {
    let world = world();
    let (path, _) = world.challenge(None);
    let other_file = world.dir.path().join("notes.txt");
    std::fs::write(&other_file, "not ours").unwrap();
    symlink(&other_file, world.dir.path().join("planted.key")).unwrap();
    let made = std::fs::metadata(&path).unwrap().mtime();
    let (clock, other) = beside(&world, made + 30);
    assert!(path.exists());
    clock.advance(61);
    let opened = other.open(None).unwrap().path;
    other.sweep();
    assert!(!path.exists() && !world.dir.path().join("planted.key").is_symlink());
    assert!(opened.exists() && other_file.exists(), "its own, and what is no challenge, stays");
    let (_, late) = beside(&world, made + 3600);
    assert!(!opened.exists(), "at the start too");
    drop(late);
}
