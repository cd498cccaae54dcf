//! The cases. Each runs in a process of its own that has one thread when it starts.

use std::{
    collections::BTreeSet,
    fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    time::Duration,
};

use cs_sandbox::{CHALLENGE_DIRECTORY, Errand, Knob, Plan, Sandbox, SandboxError, Zone, dns::Answerer};
use nix::unistd::{getegid, geteuid};

type Case = (&'static str, fn(&Path));

pub const CASES: &[Case] = &[
    ("names_resolve_by_wildcard_and_no_others", names_resolve_by_wildcard_and_no_others),
    ("every_port_and_the_metadata_address_can_be_bound", every_port_and_the_metadata_address_can_be_bound),
    ("files_are_where_clients_look", files_are_where_clients_look),
    ("the_rest_of_var_opt_and_opt_stays_visible", the_rest_of_var_opt_and_opt_stays_visible),
    ("the_command_keeps_user_directory_and_exit_code", the_command_keeps_user_directory_and_exit_code),
    ("sudo_only_runs_its_arguments", sudo_only_runs_its_arguments),
    ("signals_reach_the_command", signals_reach_the_command),
    ("a_key_on_the_terminal_reaches_the_command_once", a_key_on_the_terminal_reaches_the_command_once),
    ("the_command_inherits_no_socket", the_command_inherits_no_socket),
    ("the_command_dies_with_us", the_command_dies_with_us),
    ("a_unix_socket_reaches_the_site_outside", a_unix_socket_reaches_the_site_outside),
    ("a_process_with_threads_is_refused_and_untouched", a_process_with_threads_is_refused_and_untouched),
    ("refusal_is_named_and_changes_nothing", refusal_is_named_and_changes_nothing),
];

pub fn play(case: &str, folder: &Path) -> ExitCode {
    let Some((_, run)) = CASES.iter().find(|(name, _)| *name == case) else { return ExitCode::FAILURE };
    run(folder);
    ExitCode::SUCCESS
}

fn plan(folder: &Path) -> Plan {
    let (directory, tokens) = (folder.join("machine"), folder.join("tokens"));
    fs::create_dir_all(&directory).unwrap();
    fs::create_dir_all(&tokens).unwrap();
    let ca_bundle = folder.join("bundle.pem");
    fs::write(&ca_bundle, "our bundle\n").unwrap();
    Plan { directory, ca_bundle, tokens, names: vec!["login.example.test".into()], agent_file: true }
}

fn enter(folder: &Path) -> Sandbox {
    match Sandbox::enter(&plan(folder)) {
        Ok(sandbox) => sandbox,
        Err(error) => panic!("no private machine here: {error}; {}", error.hint().unwrap_or_default()),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn shell(script: &str) -> Errand {
    Errand::new("sh", ["-c", script])
}

fn exit_code(errand: Errand) -> u8 {
    runtime().block_on(errand.run()).unwrap().exit_code()
}

fn names_resolve_by_wildcard_and_no_others(folder: &Path) {
    enter(folder);
    let script = "set -e
        getent ahostsv4 foo.vault.countersign.localhost | grep -q '^127.0.0.1 '
        getent hosts a.b.c.countersign.localhost
        getent hosts login.example.test
        getent hosts localhost
        for other in login.microsoftonline.com countersign.invalid neighbourcountersign.localhost; do
          if getent hosts $other; then exit 9; fi
        done";
    let code = runtime().block_on(async {
        let _answering = Answerer::bind(Zone::new().under("countersign.localhost")).await.unwrap().start();
        shell(script).run().await.unwrap().exit_code()
    });
    assert_eq!(code, 0);
}

fn every_port_and_the_metadata_address_can_be_bound(folder: &Path) {
    enter(folder);
    for address in ["127.0.0.1:443", "[::1]:443", "169.254.169.254:80", "127.0.0.1:80", "127.0.0.1:40342"] {
        let listener = TcpListener::bind(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        TcpStream::connect(listener.local_addr().unwrap())
            .unwrap_or_else(|error| panic!("{address}: {error}"));
    }
    let outside = TcpStream::connect_timeout(&"192.0.2.1:443".parse().unwrap(), Duration::from_secs(5));
    assert_eq!(outside.unwrap_err().kind(), std::io::ErrorKind::NetworkUnreachable);
}

fn files_are_where_clients_look(folder: &Path) {
    let own_bundle = Path::new("/etc/ssl/certs/ca-certificates.crt").exists();
    let sandbox = enter(folder);
    fs::write(folder.join("tokens/a.key"), "challenge").unwrap();
    let shown = Path::new(CHALLENGE_DIRECTORY);
    assert_eq!(fs::read_to_string(shown.join("a.key")).unwrap(), "challenge");
    fs::write(shown.join("b.key"), "answer").unwrap();
    assert_eq!(fs::read_to_string(folder.join("tokens/b.key")).unwrap(), "answer");
    // Rust's client refuses a directory whose canonical path differs.
    assert_eq!(fs::canonicalize(shown).unwrap(), shown);
    if own_bundle {
        assert_eq!(fs::read_to_string("/etc/ssl/certs/ca-certificates.crt").unwrap(), "our bundle\n");
    }
    assert!(sandbox.shows_agent_file() && Path::new("/opt/azcmagent/bin/himds").is_file());
    assert!(fs::read_to_string("/etc/hosts").unwrap().contains("127.0.0.1 login.example.test"));
}

fn the_rest_of_var_opt_and_opt_stays_visible(folder: &Path) {
    let entries = |folder: &str| -> BTreeSet<PathBuf> {
        let ours = |path: &PathBuf| path.ends_with("azcmagent");
        let all = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        all.filter(|path| !ours(path)).collect()
    };
    let inner = |all: &BTreeSet<PathBuf>| -> Vec<usize> {
        all.iter().map(|path| fs::read_dir(path).map_or(0, Iterator::count)).collect()
    };
    let before = ["/opt", "/var/opt"].map(entries);
    let below = before.each_ref().map(inner);
    enter(folder);
    for (at, folder) in ["/opt", "/var/opt"].into_iter().enumerate() {
        assert_eq!(entries(folder), before[at], "{folder}");
        assert!(Path::new(folder).join("azcmagent").is_dir(), "{folder}");
        assert_eq!(inner(&before[at]), below[at], "{folder}");
    }
}

fn the_command_keeps_user_directory_and_exit_code(folder: &Path) {
    let (user, group) = (geteuid(), getegid());
    enter(folder);
    assert_eq!((geteuid(), getegid()), (user, group));
    let script = format!(
        "test \"$(id -u)\" = {user} && test \"$(id -g)\" = {group} && test \"$(pwd -P)\" = '{}' && \
         touch made && exit 42",
        fs::canonicalize(folder).unwrap().display()
    );
    assert_eq!(exit_code(shell(&script)), 42);
    let made = fs::metadata(folder.join("made")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&made), user.as_raw());
}

fn sudo_only_runs_its_arguments(folder: &Path) {
    let sandbox = enter(folder);
    for (script, code) in [
        ("test \"$(sudo -n cat /var/opt/azcmagent/tokens/a.key)\" = secret", 0),
        ("sudo -E -u root -- sh -c 'exit 9'", 9),
        ("sudo -nu root --group=wheel sh -c 'exit 8'", 8),
        ("sudo MARK='a b' sh -c 'test \"$MARK\" = \"a b\"'", 0),
        ("sudo -v && sudo --user root test -z ''", 0),
        ("sudo", 1),
    ] {
        fs::write(folder.join("tokens/a.key"), "secret").unwrap();
        assert_eq!(exit_code(shell(script).finding_first(sandbox.programs())), code, "{script}");
    }
}

/// Each signal is sent to us alone, once the command says that it is ready for it.
fn signals_reach_the_command(folder: &Path) {
    enter(folder);
    let us = std::process::id();
    for (signal, code) in [("TERM", 31), ("INT", 32), ("HUP", 33), ("USR1", 34)] {
        let script =
            format!("trap 'exit {code}' {signal}; kill -{signal} {us}; while :; do sleep 0.05; done");
        assert_eq!(exit_code(shell(&script)), code, "{signal}");
    }
    assert_eq!(exit_code(shell(&format!("kill -TERM {us}; while :; do sleep 0.05; done"))), 128 + 15);
}

/// ^C goes to the whole foreground group, so passing it on as well would make two of one. `script` is the terminal.
/// Two signals may merge into one before a shell notices, hence ten keys, each after the answer to the one before.
fn a_key_on_the_terminal_reaches_the_command_once(folder: &Path) {
    if folder.join("terminal").exists() {
        enter(folder);
        let script = "n=0; trap 'n=$((n+1)); echo heard' INT; trap 'exit $n' QUIT
            echo ready; while :; do sleep 0.05; done";
        std::process::exit(i32::from(exit_code(shell(script))));
    }
    fs::write(folder.join("terminal"), "").unwrap();
    let again = std::env::current_exe().unwrap();
    let case = "a_key_on_the_terminal_reaches_the_command_once";
    let command = format!("exec {} --inside {case} {}", again.display(), folder.display());
    let mut terminal = Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut screen = std::io::BufReader::new(terminal.stdout.take().unwrap());
    let mut keyboard = terminal.stdin.take().unwrap();
    for _ in 0..10 {
        wait_for_a_line(&mut screen);
        std::io::Write::write_all(&mut keyboard, b"\x03").unwrap();
    }
    wait_for_a_line(&mut screen);
    std::io::Write::write_all(&mut keyboard, b"\x1c").unwrap();
    assert_eq!(terminal.wait().unwrap().code(), Some(10));
}

fn wait_for_a_line(screen: &mut impl std::io::BufRead) {
    let mut line = String::new();
    while !(line.contains("ready") || line.contains("heard")) {
        line.clear();
        assert_ne!(screen.read_line(&mut line).unwrap(), 0, "the terminal was closed");
    }
}

fn the_command_inherits_no_socket(folder: &Path) {
    enter(folder);
    let runtime = runtime();
    let code = runtime.block_on(async {
        let _answering = Answerer::bind(Zone::new()).await.unwrap().start();
        let _site = tokio::net::TcpListener::bind("127.0.0.1:443").await.unwrap();
        let script = "for fd in /proc/self/fd/*; do case $(readlink $fd) in socket:*) exit 3;; esac; done";
        shell(script).run().await.unwrap().exit_code()
    });
    assert_eq!(code, 0);
}

/// A process that is killed leaves no command behind: the pipe the command holds open is closed.
fn the_command_dies_with_us(folder: &Path) {
    if folder.join("victim").exists() {
        enter(folder);
        exit_code(shell("echo started; exec sleep 1000"));
        return;
    }
    fs::write(folder.join("victim"), "").unwrap();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--inside", "the_command_dies_with_us"])
        .arg(folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = std::io::BufReader::new(victim.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut output, &mut line).unwrap();
    assert_eq!(line, "started\n");
    victim.kill().unwrap();
    victim.wait().unwrap();
    // Returns only when nobody holds the other end any more; `sleep` would for a quarter of an hour.
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut output, &mut rest).unwrap();
}

fn a_unix_socket_reaches_the_site_outside(folder: &Path) {
    let socket = folder.join("https.sock");
    if folder.join("site").exists() {
        let site = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        println!("lent");
        let (mut client, _) = site.accept().unwrap();
        std::io::Write::write_all(&mut client, b"from outside").unwrap();
        return;
    }
    fs::write(folder.join("site"), "").unwrap();
    let mut site = Command::new(std::env::current_exe().unwrap())
        .args(["--inside", "a_unix_socket_reaches_the_site_outside"])
        .arg(folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lent = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(site.stdout.take().unwrap()), &mut lent)
        .unwrap();
    enter(folder);
    let heard = runtime().block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:443").await.unwrap();
        let bridge = tokio::spawn(cs_sandbox::bridge::forward(listener, socket));
        let mut client = tokio::net::TcpStream::connect("127.0.0.1:443").await.unwrap();
        let mut heard = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut client, &mut heard).await.unwrap();
        bridge.abort();
        heard
    });
    assert_eq!(heard, "from outside");
    assert!(site.wait().unwrap().success());
}

fn a_process_with_threads_is_refused_and_untouched(folder: &Path) {
    let runtime = runtime();
    let before = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let error = Sandbox::enter(&plan(folder)).unwrap_err();
    assert!(matches!(error, SandboxError::ManyThreads(3)), "{error:?}");
    assert!(error.untouched());
    assert_eq!(fs::read_to_string("/proc/self/mountinfo").unwrap(), before);
    drop(runtime);
}

fn refusal_is_named_and_changes_nothing(folder: &Path) {
    let space = || fs::read_link("/proc/self/ns/net").unwrap();
    let before = space();
    let error = Sandbox::enter(&plan(folder)).unwrap_err();
    let SandboxError::Refused { knobs, .. } = &error else { panic!("{error:?}") };
    assert_eq!(knobs, &[Knob::MaxUserNamespaces]);
    assert!(error.untouched() && error.hint().unwrap().contains("sysctl -w user.max_user_namespaces="));
    assert_eq!(space(), before);
    // The caller goes on by itself, and can still run the command.
    assert_eq!(exit_code(shell("exit 5")), 5);
}
