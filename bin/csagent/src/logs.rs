//! `csagent logs`: one archive for whoever helps, without secrets (H04).
//!
//! What goes in is named here, file by file; the key and the challenges are not. Whatever text goes in passes through
//! [`redact`] first.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use cs_agent::redact::redact;
use cs_time::{Clock, MachineClock};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::{
    cli::LogsArgs,
    config,
    connect::tell,
    failure::{Attempt, Failure, Kind},
    host,
    state::{Place, STATE, STATUS},
};

/// Of each log the end, unless all is asked for.
const LOG_MAX_BYTES: u64 = 1 << 20;
/// Even then no more than this of one.
const FULL_MAX_BYTES: u64 = 256 << 20;
/// The service, under our name and under the original's.
const UNITS: [&str; 2] = ["csagent", "himdsd"];

pub fn logs(args: &LogsArgs) -> Result<(), Failure> {
    let place = Place::new(&args.data.data);
    let output = args.output.clone().unwrap_or_else(|| {
        PathBuf::from(format!("csagent-logs-{}.zip", MachineClock.now().format("%Y%m%d-%H%M%S")))
    });
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&output);
    let file = made.map_err(|error| {
        let failure = Failure::new(Kind::Failed, format!("writing {}: {error}", output.display()));
        match error.kind() {
            std::io::ErrorKind::AlreadyExists => failure.hint("name another file with -o FILE"),
            _ => failure,
        }
    })?;
    let most = if args.full { FULL_MAX_BYTES } else { LOG_MAX_BYTES };
    let written = fill(ZipWriter::new(file), collect(&place, most));
    written.inspect_err(|_| drop(std::fs::remove_file(&output)))?;
    tell(&format!("Wrote {}", output.display()));
    Ok(())
}

/// Names in the archive, and texts.
fn collect(place: &Place, most: u64) -> Vec<(String, String)> {
    let mut all = vec![("system.txt".to_owned(), system())];
    // A password may hold what ends an address in a text: it is taken out where it is known to be one.
    match config::as_they_are(place) {
        Ok(settings) => all.push((config::FILE.to_owned(), settings.archived())),
        Err(error) => all.push((format!("{}.error.txt", config::FILE), error.message)),
    }
    for name in [STATE, STATUS] {
        match tail(&place.at(name), most) {
            Ok(text) => all.push((name.to_owned(), text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => all.push((format!("{name}.error.txt"), error.to_string())),
        }
    }
    for entry in std::fs::read_dir(place.at("log")).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if let Ok(text) = tail(&entry.path(), most) {
            all.push((format!("log/{name}"), text));
        }
    }
    if let Some(text) = journal(most) {
        all.push(("journal.txt".to_owned(), text));
    }
    all
}

fn system() -> String {
    let (name, version) = host::operating_system();
    format!(
        "agent {}\nhost {}\nsystem {name}\nkernel {version}\ntime {}\n",
        env!("CARGO_PKG_VERSION"),
        host::name(),
        MachineClock.now().rfc3339()
    )
}

/// The end of a plain file, never what a link points to: the key is not taken along under another name.
fn tail(path: &Path, most: u64) -> std::io::Result<String> {
    let no_link = nix::fcntl::OFlag::O_NOFOLLOW.bits() | nix::fcntl::OFlag::O_NONBLOCK.bits();
    let mut file = OpenOptions::new().read(true).custom_flags(no_link).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(std::io::Error::other("not a plain file"));
    }
    file.seek(SeekFrom::Start(metadata.len().saturating_sub(most)))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What the service manager kept of the daemon's standard error.
fn journal(most: u64) -> Option<String> {
    let mut command = Command::new("journalctl");
    command.args(["--no-pager", "--lines", "20000"]).stdin(Stdio::null()).stderr(Stdio::null());
    for unit in UNITS {
        command.args(["--unit", unit]);
    }
    let output = command.output().ok().filter(|o| o.status.success())?;
    let start = output.stdout.len().saturating_sub(usize::try_from(most).unwrap_or(usize::MAX));
    Some(String::from_utf8_lossy(&output.stdout[start..]).into_owned())
}

fn fill(mut archive: ZipWriter<File>, texts: Vec<(String, String)>) -> Result<(), Failure> {
    const WHAT: &str = "writing the archive";
    let options =
        SimpleFileOptions::default().compression_method(CompressionMethod::Stored).unix_permissions(0o600);
    for (name, text) in texts {
        archive.start_file(name, options).attempt(WHAT)?;
        archive.write_all(redact(&text).as_bytes()).attempt(WHAT)?;
    }
    archive.finish().attempt(WHAT)?.sync_all().attempt(WHAT)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use cs_jose::MachineKey;

    use super::*;
    use crate::cli::DataArgs;

    #[test]
    fn h04_the_archive_holds_no_planted_secret() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("agent");
        let place = Place::new(&data);
        let key = MachineKey::generate().unwrap();
        place.save_key(&key).unwrap();
        let key_text = std::fs::read_to_string(place.at("machine.key")).unwrap();
        let challenge = "CANARY1aAPq0Zc7yZkq0bF7u7YkXjvQn4m3w2x1y0z9";
        std::fs::create_dir_all(place.at("tokens")).unwrap();
        std::fs::write(place.at("tokens/a.key"), challenge).unwrap();
        std::fs::create_dir(place.at("log")).unwrap();
        let log = format!(
            "INFO first line kept\nDEBUG sent client_secret=CANARY2 then {key_text}\nAuthorization: Basic {challenge}\n\
             reply {{\"access_token\":\"eyJCANARY3.eyJ.x\"}}\n-----BEGIN PRIVATE KEY-----\nCANARY4\n-----END PRIVATE KEY-----\n"
        );
        std::fs::write(place.at("log/himds.log"), log).unwrap();
        symlink(place.at("machine.key"), place.at("log/linked.log")).unwrap();
        place.write(config::FILE, br#"{"proxy.url":"http://u:a'CANARY5 \"CANARY6@proxy:1"}"#, 0o600).unwrap();
        let output = dir.path().join("out.zip");
        let args = LogsArgs { data: DataArgs { data }, output: Some(output.clone()), full: true };
        logs(&args).unwrap();
        let bytes = std::fs::read(&output).unwrap();
        let holds = |text: &str| bytes.windows(text.len()).any(|w| w == text.as_bytes());
        assert!(holds("INFO first line kept") && holds("log/himds.log") && holds("@proxy:1"), "it is of use");
        for canary in ["CANARY", key_text.trim(), &key_text[..20], "linked.log"] {
            assert!(!holds(canary), "{canary}");
        }
        assert_eq!(logs(&args).unwrap_err().kind, Kind::Failed, "nothing is overwritten");
    }
}
