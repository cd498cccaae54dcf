//! `countersign backup`: a consistent copy of a site, running or not.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use cs_backup::{Source, Summary};
use cs_bytes::{BlobBytes, LocalBytes};
use cs_seal::Key;
use cs_store::Site;
use cs_store_sql::{SqlStore, copy_sqlite};
use cs_time::{Clock, MachineChance, MachineClock};

use crate::{
    cli::{BackupArgs, PlacesArgs},
    failure::{Attempt, Failure, Kind},
    site::{data, keys},
};

/// Private files beside the database; the root key is not among them. Certificates and bundles are written anew.
const FILES: [&str; 3] = ["ca.key", "ca-azure.key", "operator.secret"];

#[expect(clippy::print_stderr, reason = "talk of the verb")]
pub async fn backup(args: &BackupArgs) -> Result<ExitCode, Failure> {
    if args.store.database.is_some() {
        return Err(Failure::new(Kind::Usage, "a site on PostgreSQL is copied by PostgreSQL's own means")
            .hint("use pg_dump or the server's backups, and keep root.key and the data directory's files beside them"));
    }
    let site = Looked::at(args.data.data.as_deref())?;
    if args.file.try_exists().attempt(format_args!("looking for {}", args.file.display()))? {
        return Err(Failure::new(Kind::WrongState, format!("{} is there already", args.file.display()))
            .hint("name a new file: a copy is never written over another"));
    }
    let copy = site.copy_beside(&args.file)?;
    let store = SqlStore::sqlite(&copy.database).attempt("opening the copy of the database")?;
    // A root key that opens nothing would make a copy that nobody can use.
    keys::of_tenants(&site.root, &store.tenants().await.attempt("reading the tenants")?)?;
    let bytes = local_bytes(&site.folder, &args.store)?;
    let source = Source {
        database: &copy.database,
        survey: &store,
        bytes: bytes.as_deref(),
        files: site.files()?,
        root: &site.root,
        chance: &MachineChance,
        now: MachineClock.now(),
    };
    let summary = write(&args.file, &source).await?;
    eprintln!(
        "{}: the database and {} objects of blobs, {} bytes. The root key is not in it: keep it apart",
        args.file.display(),
        summary.objects,
        summary.object_bytes
    );
    if bytes.is_none() {
        eprintln!("blobs' content stays in the bucket of --blobs, and is not in the copy");
    }
    match summary.damaged.len() {
        0 => Ok(ExitCode::SUCCESS),
        n => Err(Failure::failed(format!("the copy is written, but {n} objects are not what was put there"))
            .hint("countersign verify names the blobs they belong to")),
    }
}

/// A data directory that may be in use.
pub struct Looked {
    pub folder: PathBuf,
    pub root: Key,
}

/// A copy of the database; removed when this is dropped.
pub struct Copied {
    pub database: PathBuf,
    _folder: tempfile::TempDir,
}

impl Looked {
    pub fn at(given: Option<&Path>) -> Result<Self, Failure> {
        let folder = data::path_of(given)?;
        let root = keys::root(&folder)?.ok_or_else(|| {
            Failure::new(Kind::WrongState, format!("there is no site in {}", folder.display())).hint(
                "name its directory with --data DIR, and give COUNTERSIGN_ROOT_KEY where it has no root.key",
            )
        })?;
        Ok(Self { folder, root })
    }

    /// Copies the database into a private folder beside `file`, where there must be room for the copy anyway.
    pub fn copy_beside(&self, file: &Path) -> Result<Copied, Failure> {
        let beside = file.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = tempfile::Builder::new().prefix(".countersign-").tempdir_in(beside);
        let folder = folder.attempt(format_args!("making a folder in {}", beside.display()))?;
        let database = folder.path().join("site.db");
        copy_sqlite(&self.folder.join("site.db"), &database).attempt("copying the database")?;
        Ok(Copied { database, _folder: folder })
    }

    fn files(&self) -> Result<Vec<(String, Vec<u8>)>, Failure> {
        let mut files = Vec::new();
        for name in FILES {
            files.extend(data::read(&self.folder.join(name))?.map(|content| (name.to_owned(), content)));
        }
        Ok(files)
    }
}

/// The folder of blobs' content, as it is; `None` where it is in a bucket.
pub fn local_bytes(folder: &Path, store: &PlacesArgs) -> Result<Option<Box<dyn BlobBytes>>, Failure> {
    let folder = match store.blobs.as_deref() {
        None => folder.join("blobs"),
        Some(url) if url.starts_with("s3://") => return Ok(None),
        Some(url) => match url.strip_prefix("file://") {
            Some(path) => PathBuf::from(path),
            None => {
                return Err(Failure::new(
                    Kind::Usage,
                    "--blobs: not an address that starts with s3:// or file:///",
                ));
            }
        },
    };
    Ok(Some(Box::new(LocalBytes::beside(&folder))))
}

/// Under another name until it is whole and durable.
async fn write(file: &Path, source: &Source<'_>) -> Result<Summary, Failure> {
    let writing = format!("writing {}", file.display());
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let temporary = file.with_file_name(name);
    let opened =
        OpenOptions::new().create_new(true).write(true).mode(0o600).open(&temporary).attempt(&writing)?;
    let mut out = BufWriter::with_capacity(1 << 20, opened);
    let written = cs_backup::write(&mut out, source).await.attempt(&writing);
    let settled =
        written.and_then(|summary| settle(out, &temporary, file).attempt(&writing).map(|()| summary));
    settled.inspect_err(|_| drop(fs::remove_file(&temporary)))
}

fn settle(out: BufWriter<File>, temporary: &Path, file: &Path) -> io::Result<()> {
    let mut out = out;
    out.flush()?;
    out.get_ref().sync_all()?;
    // Fails where somebody has made one of this name meanwhile.
    fs::hard_link(temporary, file)?;
    fs::remove_file(temporary)?;
    let folder = file.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
