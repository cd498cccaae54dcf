//! `countersign restore`: puts a copy back, all of it or nothing.

use std::{
    fs::{self, File},
    io::BufReader,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::ExitCode,
};

use cs_backup::{BackupError, Unpacked};
use cs_seal::Key;

use crate::{
    cli::RestoreArgs,
    failure::{Attempt, Failure, Kind},
    site::{
        data::{self, DataDirectory},
        keys,
    },
};

#[expect(clippy::print_stderr, reason = "talk of the verb")]
pub fn restore(args: &RestoreArgs) -> Result<ExitCode, Failure> {
    let folder = data::path_of(args.data.data.as_deref())?;
    let file = File::open(&args.file).attempt(format_args!("opening {}", args.file.display()))?;
    let data = DataDirectory::open(&folder)?;
    for name in ["site.db", "blobs"] {
        if data.file(name).exists() {
            return Err(Failure::new(
                Kind::WrongState,
                format!("there is a site in {} already", folder.display()),
            )
            .hint("restore into an empty directory, and start the site on that"));
        }
    }
    let root = root_key(args, &data)?;
    let staging = tempfile::Builder::new().prefix("restoring-").tempdir_in(&folder);
    let staging = staging.attempt(format_args!("making a folder in {}", folder.display()))?;
    let unpacked = cs_backup::unpack(BufReader::with_capacity(1 << 20, file), &root, staging.path())
        .map_err(|error| told(&args.file, &error))?;
    settle(&data, &root, &unpacked)?;
    eprintln!(
        "{}: the site as it was at {}, with {} objects of blobs",
        folder.display(),
        unpacked.made,
        unpacked.objects
    );
    if unpacked.blobs.is_none() {
        eprintln!("blobs' content stayed in its bucket: start the site with the --blobs it had");
    }
    Ok(ExitCode::SUCCESS)
}

fn told(file: &Path, error: &BackupError) -> Failure {
    let failure = Failure::failed(format!("restoring {}: {error}", file.display()));
    match error {
        BackupError::WrongKey => {
            failure.hint("give the root key of the site this was copied from, with --root-key-file")
        }
        BackupError::Damaged => failure.hint("nothing was restored; try another copy"),
        _ => failure,
    }
}

fn root_key(args: &RestoreArgs, data: &DataDirectory) -> Result<Key, Failure> {
    let found = match &args.root_key_file {
        Some(file) => Some(keys::from_file(file)?),
        None => keys::root(data.path())?,
    };
    found.ok_or_else(|| {
        Failure::new(Kind::Usage, "the root key of the site is needed: it is not in a backup")
            .hint("give it with --root-key-file FILE or COUNTERSIGN_ROOT_KEY")
    })
}

/// The database last: before it is there, there is no site in the directory.
fn settle(data: &DataDirectory, root: &Key, unpacked: &Unpacked) -> Result<(), Failure> {
    if keys::root(data.path())?.is_none() {
        keys::keep(root, data)?;
    }
    for (name, content) in &unpacked.files {
        data.write(name, content, 0o600)?;
    }
    if let Some(blobs) = &unpacked.blobs {
        fs::rename(blobs, data.file("blobs")).attempt("moving the blobs to their place")?;
    }
    let database = data.file("site.db");
    fs::set_permissions(&unpacked.database, fs::Permissions::from_mode(0o600))
        .and_then(|()| fs::rename(&unpacked.database, &database))
        .and_then(|()| File::open(data.path())?.sync_all())
        .attempt("moving the database to its place")
}
