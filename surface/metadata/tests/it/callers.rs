//! The policy of callers, against real processes on real connections. The callers are copies of bash, which opens
//! connections by itself.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, atomic::Ordering},
};

use cs_broker::PolicyFile;
use cs_metadata::{Callers, Metadata, Service};
use cs_serve::{Limits, Listener, Protocol, Shutdown};
use tokio::net::TcpListener;

use crate::world::World;

/// Asks the App Service source, which needs no challenge, on descriptor 3, and prints what comes back.
const ASK: &str = r#"printf 'GET /appservice/token?api-version=2019-08-01&resource=https://vault.azure.net HTTP/1.1\r\nHost: localhost\r\nX-IDENTITY-HEADER: the-header\r\nConnection: close\r\n\r\n' >&3; while read -r line <&3; do echo "$line"; done; echo "$line""#;

struct Served {
    world: World,
    port: u16,
    folder: tempfile::TempDir,
    _shutdown: Shutdown,
}

impl Served {
    /// A machine whose policy this is; `{dir}` in it is where programs lie.
    async fn with(policy: &str) -> Self {
        let (world, folder) = (World::new(), tempfile::tempdir().unwrap());
        let file = folder.path().join("callers.json");
        std::fs::write(&file, policy.replace("{dir}", folder.path().to_str().unwrap())).unwrap();
        let policy = PolicyFile::open(&file).unwrap();
        let own = &world.parts;
        let parts = Arc::new(Metadata {
            broker: Arc::clone(&own.broker),
            desk: Arc::clone(&own.desk),
            facts: Arc::clone(&own.facts),
            clock: Arc::clone(&own.clock),
            chance: Arc::clone(&own.chance),
            app_service_header: own.app_service_header.clone(),
            callers: Arc::new(Callers::new(Some(policy))),
            proxy_headers: own.proxy_headers,
            attester: None,
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, shutdown) = (listener.local_addr().unwrap().port(), Shutdown::new());
        let router = parts.router(Service::Himds);
        Listener::Tcp(listener).serve(Protocol::PlainTitleCase, router, Limits::metadata(), &shutdown);
        Self { world, port, folder, _shutdown: shutdown }
    }

    /// A copy of bash of this name.
    fn program(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::copy("/bin/bash", &path).unwrap();
        path
    }

    fn open(&self) -> String {
        format!("exec 3<>/dev/tcp/127.0.0.1/{}", self.port)
    }

    async fn asks(&self, program: &Path) -> String {
        self.says(started(program, &format!("{}; {ASK}", self.open()))).await
    }

    async fn says(&self, child: Child) -> String {
        let out = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    fn tokens(&self) -> usize {
        self.world.issuer.asked.load(Ordering::SeqCst)
    }
}

fn started(program: &Path, script: &str) -> Child {
    let mut command = Command::new(program);
    command.arg("-c").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().unwrap()
}

const ONE_PROGRAM: &str = r#"{"default":"deny","rules":[{"name":"backup","effect":"allow","executables":["{dir}/backup"],
    "audiences":["https://vault.azure.net"]}]}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_program_that_the_policy_names_gets_a_token() {
    let served = Served::with(ONE_PROGRAM).await;
    let (backup, other) = (served.program("backup"), served.program("other"));
    let answer = served.asks(&backup).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("access_token"), "{answer}");
    let answer = served.asks(&other).await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    let who = format!("Rule 'default' of this machine's policy refuses uid {}, pid", nix::unistd::geteuid());
    assert!(
        answer.contains(&who) && answer.contains(other.to_str().unwrap()),
        "says who and which: {answer}"
    );
    assert_eq!(served.tokens(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a30_a_program_that_was_replaced_is_not_the_one_that_is_named() {
    let served = Served::with(ONE_PROGRAM).await;
    let backup = served.program("backup");
    for put_back in [false, true] {
        let mut child = started(&backup, &format!("read -r go; {}; {ASK}", served.open()));
        std::fs::remove_file(&backup).unwrap();
        if put_back {
            served.program("backup");
        }
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
        let answer = served.says(child).await;
        assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("and is not any more"), "{answer}");
        served.program("backup");
    }
    // A file whose name only looks like it.
    let looks = served.program("backup (deleted)");
    assert!(served.asks(&looks).await.starts_with("HTTP/1.1 403"));
    assert_eq!(served.tokens(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a31_a_connection_that_is_lent_to_the_named_program_is_not_its_own() {
    let served = Served::with(ONE_PROGRAM).await;
    let (backup, evil) = (served.program("backup"), served.program("evil"));
    // The one that opened it holds it still, and could read the answer.
    let lent = format!("{}; '{}' -c '{}'; exit", served.open(), backup.display(), ASK.replace('\'', r"'\''"));
    let answer = served.says(started(&evil, &lent)).await;
    assert!(answer.starts_with("HTTP/1.1 403") && answer.contains(evil.to_str().unwrap()), "{answer}");
    assert_eq!(served.tokens(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a30_a_program_seen_at_the_path_by_itself_alone_is_not_the_one_that_is_named() {
    let served = Served::with(ONE_PROGRAM).await;
    let (backup, evil) = (served.program("backup"), served.program("evil"));
    let (backup, evil) = (backup.display(), evil.display());
    let script = format!("{}; {ASK}", served.open()).replace('\'', r"'\''");
    let mounted = format!("mount --bind '{evil}' '{backup}' && exec '{backup}' -c '{script}'");
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &mounted]);
    let Ok(child) = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn() else {
        return;
    };
    let answer = served.says(child).await;
    // Empty where the kernel refuses such namespaces.
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert_eq!(served.tokens(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_and_audiences_are_told_apart() {
    let me = nix::unistd::geteuid();
    let rules = format!(
        r#"{{"default":"deny","rules":[
            {{"name":"no vault","effect":"deny","audiences":["https://vault.azure.net/"],"users":["{me}"]}},
            {{"name":"mine","effect":"allow","users":["{me}"]}}]}}"#
    );
    let served = Served::with(&rules).await;
    let program = served.program("any");
    let answer = served.asks(&program).await;
    assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("Rule 'no vault'"), "{answer}");
    let elsewhere = ASK.replace("vault.azure.net", "management.azure.com");
    let answer = served.says(started(&program, &format!("{}; {elsewhere}", served.open()))).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
