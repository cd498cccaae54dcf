//! The harness: who plays which case, and whether the machine outside is as it was.

use std::{
    fs, io,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::{Command, ExitCode, Output, Stdio},
};

use crate::inside::CASES;

const NOBODY: u32 = 65534;

/// Whom a case runs as.
#[derive(Clone, Copy)]
enum Who {
    /// The user who runs the tests, as is.
    Self_,
    /// An ordinary user.
    Nobody,
    /// Root of a container: no power over namespaces except through a user namespace.
    RootWithoutPower,
    /// An ordinary user of a machine with another agent's locked folder, other things beside it in `/var/opt`,
    /// a resolv.conf that is a symbolic link, and no nsswitch.conf.
    OddMachine,
    /// A user to whom the kernel gives no more user namespaces.
    Refused,
}

const ODD_MACHINE: &str = "set -e
    mount -t tmpfs -o mode=755 tmpfs /var/opt
    mkdir -p -m 700 /var/opt/azcmagent/tokens
    mkdir /var/opt/other && touch /var/opt/other/file /var/opt/plain && ln -s other /var/opt/link
    mount -t tmpfs -o mode=755 tmpfs /mnt && cp -a /etc/. /mnt && mount --rbind /mnt /etc
    mkdir /etc/elsewhere && echo nameserver 192.0.2.1 >/etc/elsewhere/resolv.conf
    ln -sf elsewhere/resolv.conf /etc/resolv.conf && rm /etc/nsswitch.conf
    exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$@\"";

/// The namespace counts its children, and its one place is taken by the user it starts.
const REFUSED: &str = "echo 1 >/proc/sys/user/max_user_namespaces &&
    exec unshare --user --map-user=1000 --map-group=1000 \"$@\"";

pub fn play_all(filter: Option<&str>) -> ExitCode {
    let before = Machine::look();
    let mut failures = 0;
    let stage = tempfile::tempdir().expect("a folder for the stage");
    let program = stage_program(stage.path());
    for (case, _) in CASES {
        let players: &[(&str, Who)] = match *case {
            "refusal_is_named_and_changes_nothing" => &[("refused", Who::Refused)],
            _ if nix::unistd::geteuid().is_root() => &[
                ("root", Who::Self_),
                ("nobody", Who::Nobody),
                ("powerless", Who::RootWithoutPower),
                ("odd", Who::OddMachine),
            ],
            _ => &[("self", Who::Self_)],
        };
        for (player, who) in players {
            let name = format!("{case}::{player}");
            if filter.is_none_or(|wanted| name.contains(wanted)) {
                failures += usize::from(!report(&name, play(&program, stage.path(), case, *who)));
            }
        }
    }
    if Machine::look() != before {
        println!("test the_machine_outside_is_untouched ... FAILED\n{before:#?}\n{:#?}", Machine::look());
        failures += 1;
    }
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A copy that every user may run, wherever the checkout is.
fn stage_program(stage: &Path) -> std::path::PathBuf {
    fs::set_permissions(stage, fs::Permissions::from_mode(0o755)).unwrap();
    let program = stage.join("it");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    program
}

fn play(program: &Path, stage: &Path, case: &str, who: Who) -> io::Result<Output> {
    let folder = tempfile::tempdir_in(stage)?;
    let mut command = match who {
        Who::Self_ | Who::Nobody => Command::new(program),
        Who::RootWithoutPower => through(program, &["setpriv", "--bounding-set", "-sys_admin,-net_admin"]),
        Who::OddMachine => through(program, &["unshare", "--mount", "sh", "-c", ODD_MACHINE, "sh"]),
        Who::Refused => {
            through(program, &["unshare", "--user", "--map-root-user", "sh", "-c", REFUSED, "sh"])
        }
    };
    if matches!(who, Who::Nobody | Who::OddMachine) {
        nix::unistd::chown(folder.path(), Some(NOBODY.into()), Some(NOBODY.into()))?;
    }
    if matches!(who, Who::Nobody) {
        command.uid(NOBODY).gid(NOBODY);
    }
    if matches!(who, Who::Refused) {
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777))?;
    }
    command
        .args(["--inside", case])
        .arg(folder.path())
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
}

fn through(program: &Path, before: &[&str]) -> Command {
    let mut command = Command::new(before[0]);
    command.args(&before[1..]).arg(program);
    command
}

fn report(name: &str, played: io::Result<Output>) -> bool {
    match played {
        Ok(output) if output.status.success() => {
            println!("test {name} ... ok");
            true
        }
        Ok(output) => {
            println!("test {name} ... FAILED ({})", output.status);
            println!(
                "{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
            false
        }
        Err(error) => {
            println!("test {name} ... FAILED to start: {error}");
            false
        }
    }
}

/// What of this machine a private one might have spoiled.
#[derive(Debug, PartialEq, Eq)]
struct Machine {
    files: Vec<(&'static str, Option<String>)>,
    our_mounts: usize,
    has_metadata_address: bool,
}

impl Machine {
    fn look() -> Self {
        let files = ["/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf"]
            .map(|file| (file, fs::read_to_string(file).ok()))
            .into_iter()
            .chain(["/var/opt", "/opt"].map(|folder| (folder, listing(folder))));
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let ours = [" /etc/", " /var/opt", " /opt"];
        let routes = fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
        Self {
            files: files.collect(),
            our_mounts: mounts.lines().filter(|line| ours.iter().any(|place| line.contains(place))).count(),
            has_metadata_address: routes.contains("169.254.169.254"),
        }
    }
}

fn listing(folder: &str) -> Option<String> {
    let entries = fs::read_dir(folder).ok()?;
    let mut names: Vec<_> = entries.flatten().map(|entry| format!("{:?}", entry.file_name())).collect();
    names.sort();
    Some(names.join(" "))
}
