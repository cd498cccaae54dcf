//! `countersign verify`: every record and blob of a site, running or not, against its checksum.

use std::{path::Path, process::ExitCode, sync::Arc};

use cs_backup::{Checked, Problem};
use cs_bytes::BlobBytes;
use cs_store::Site;
use cs_store_sql::{SqlStore, check_sqlite};
use serde_json::json;

use super::backup::{Copied, Looked, local_bytes};
use crate::{
    cli::{Output, PlacesArgs, VerifyArgs},
    failure::{Attempt, Failure},
    site::{keys, open},
};

pub async fn verify(args: &VerifyArgs) -> Result<ExitCode, Failure> {
    let site = Looked::at(args.data.data.as_deref())?;
    let mut problems = Vec::new();
    let (store, _copy) = database(&site, &args.store, &mut problems).await?;
    let bytes = content(&site.folder, &args.store).await?;
    let tenants = keys::of_tenants(&site.root, &store.tenants().await.attempt("reading the tenants")?)?;
    let mut found = |problem: Problem| problems.push(problem.to_string());
    let checked =
        cs_backup::verify(&*store, &*bytes, &tenants, &mut found).await.attempt("checking the site")?;
    print(args.output, &checked, &problems);
    match problems.len() {
        0 => Ok(ExitCode::SUCCESS),
        n => Err(Failure::failed(format!("{n} of what the site keeps is not as it was written"))
            .hint("restore what is named from a copy made before")),
    }
}

/// The rows as they are at one moment: of SQLite a copy, so that a running site goes on meanwhile.
async fn database(
    site: &Looked,
    store: &PlacesArgs,
    problems: &mut Vec<String>,
) -> Result<(Arc<SqlStore>, Option<Copied>), Failure> {
    if let Some(url) = store.database.as_deref() {
        return Ok((open::postgres(url).await?, None));
    }
    problems.extend(
        check_sqlite(&site.folder.join("site.db"))
            .attempt("checking the database")?
            .into_iter()
            .map(|line| format!("the database: {line}")),
    );
    let copy = site.copy_beside(&site.folder.join("site.db"))?;
    let opened = SqlStore::sqlite(&copy.database).attempt("opening the copy of the database")?;
    Ok((Arc::new(opened), Some(copy)))
}

async fn content(folder: &Path, store: &PlacesArgs) -> Result<Arc<dyn BlobBytes>, Failure> {
    match local_bytes(folder, store)? {
        Some(local) => Ok(local.into()),
        None => open::bytes_at(store.blobs.as_deref().unwrap_or_default()).await,
    }
}

#[expect(clippy::print_stdout, reason = "the answer of the verb")]
fn print(output: Output, checked: &Checked, problems: &[String]) {
    match output {
        Output::Json => println!(
            "{}",
            json!({"keys": checked.keys, "secrets": checked.secrets, "blobs": checked.blobs,
                "blobBytes": checked.blob_bytes, "problems": problems})
        ),
        Output::Table => {
            println!("keys     {}", checked.keys);
            println!("secrets  {} versions", checked.secrets);
            println!("blobs    {}, {} bytes", checked.blobs, checked.blob_bytes);
            println!("problems {}", problems.len());
            for problem in problems {
                println!("         {}", cs_telemetry::one_line(problem));
            }
        }
    }
}
