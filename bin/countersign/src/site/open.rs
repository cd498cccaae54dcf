//! Opening the database and the blobs' bytes, by the addresses contract.md knows.

use std::sync::Arc;

use cs_bytes::{BlobBytes, BytesError, LocalBytes, S3Bytes};
use cs_seal::Key;
use cs_store::Site as _;
use cs_store_sql::SqlStore;
use cs_time::{MachineChance, MachineClock};

use super::{
    data::DataDirectory,
    keys,
    seed::{self, Seed},
};
use crate::failure::{Attempt, Failure, Kind};

/// A site's database and keys, opened for writing; the first start is made up for where there was none.
pub struct Opened {
    pub store: Arc<SqlStore>,
    pub root: Key,
    pub seed: Seed,
}

impl Opened {
    /// Everything else that may fail is tried before: a start that comes to nothing makes no keys.
    pub async fn of(
        data: &DataDirectory,
        store: Arc<SqlStore>,
        known_root: Option<Key>,
    ) -> Result<Self, Failure> {
        let tenants = store.tenants().await.attempt("reading the tenants")?;
        let root = keys::root_for(known_root, &tenants, data, &MachineChance)?;
        // A wrong key is found before anything is written under it.
        keys::of_tenants(&root, &tenants)?;
        let seed = match seed::known(&store).await? {
            Some(seed) => seed,
            None => seed::plant(&store, &root, data, &MachineClock, &MachineChance).await?,
        };
        Ok(Self { store, root, seed })
    }
}

/// The same for reading, beside a site that may be running on it.
pub async fn reader(directory: &std::path::Path, url: Option<&str>) -> Result<Arc<SqlStore>, Failure> {
    if let Some(url) = url {
        return postgres(url).await;
    }
    let file = directory.join("site.db");
    if !file.exists() {
        let text = format!("no site has been started on {}", directory.display());
        return Err(Failure::new(Kind::WrongState, text)
            .hint("name its directory with --data DIR, or its database with --database URL"));
    }
    Ok(Arc::new(SqlStore::sqlite_reader(&file).attempt("opening the database")?))
}

/// `--database`, or the SQLite file in the data directory.
pub async fn store(data: &DataDirectory, url: Option<&str>) -> Result<Arc<SqlStore>, Failure> {
    match url {
        None => Ok(Arc::new(SqlStore::sqlite(&data.file("site.db")).attempt("opening the database")?)),
        Some(url) => postgres(url).await,
    }
}

/// `--database`.
pub async fn postgres(url: &str) -> Result<Arc<SqlStore>, Failure> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(Failure::new(Kind::Usage, "--database: not an address that starts with postgres://"));
    }
    let opened = SqlStore::postgres(url).await.attempt("opening the database").map_err(|mut f| {
        f.kind = Kind::Unreachable;
        f.hint("is the server of --database up, and may this user make tables there?")
    });
    opened.map(Arc::new)
}

fn bucket(opened: Result<S3Bytes, BytesError>) -> Result<S3Bytes, Failure> {
    let kind = match &opened {
        Err(BytesError::Address(_)) => Kind::Usage,
        _ => Kind::Unreachable,
    };
    opened.attempt("opening the blobs' bucket").map_err(|mut failure| {
        failure.kind = kind;
        failure.hint("look at --blobs and the AWS_ variables: endpoint, region, access key and secret")
    })
}

/// `--blobs`, or the folder in the data directory.
pub async fn bytes(data: &DataDirectory, url: Option<&str>) -> Result<Arc<dyn BlobBytes>, Failure> {
    match url {
        None => {
            let folder = data.folder("blobs")?;
            Ok(Arc::new(LocalBytes::open(&folder).attempt("opening the blobs' folder")?))
        }
        Some(url) => bytes_at(url).await,
    }
}

/// `--blobs`.
pub async fn bytes_at(url: &str) -> Result<Arc<dyn BlobBytes>, Failure> {
    match url.strip_prefix("file://") {
        Some(path) => {
            let path = std::path::Path::new(path);
            std::fs::create_dir_all(path).attempt(format_args!("making the folder {}", path.display()))?;
            Ok(Arc::new(LocalBytes::open(path).attempt("opening the blobs' folder")?))
        }
        None if url.starts_with("s3://") => Ok(Arc::new(bucket(S3Bytes::open(url).await)?)),
        None => Err(Failure::new(Kind::Usage, "--blobs: not an address that starts with s3:// or file:///")),
    }
}
