//! Opening the database and the blobs' bytes, by the addresses contract.md knows.

use std::sync::Arc;

use cs_store_sql::SqlStore;

use super::data::DataDirectory;
use crate::failure::{Attempt, Failure, Kind};

/// `--database`, or the SQLite file in the data directory.
pub async fn store(data: &DataDirectory, url: Option<&str>) -> Result<Arc<SqlStore>, Failure> {
    let store = match url {
        None => SqlStore::sqlite(&data.file("site.db")).attempt("opening the database")?,
        Some(url) if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
            SqlStore::postgres(url).await.attempt("opening the database").map_err(|mut f| {
                f.kind = Kind::Unreachable;
                f
            })?
        }
        Some(_) => {
            return Err(Failure::new(Kind::Usage, "--database: not an address that starts with postgres://"));
        }
    };
    Ok(Arc::new(store))
}
