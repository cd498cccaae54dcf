//! `countersign audit`: the story of one call, out of the audit log.

use std::{collections::HashMap, process::ExitCode};

use cs_ids::{CorrelationId, ObjectId, TenantId};
use cs_store::{AuditLog, AuditQuery, AuditRecord, Directory};
use cs_store_sql::SqlStore;
use serde_json::{Value, json};

use crate::{
    cli::{AuditArgs, Output},
    failure::{Attempt, Failure, Kind},
    site::{data, open, seed},
};

/// More than one call has ever caused.
const RECORDS_MAX: u32 = 10_000;

#[expect(clippy::print_stdout, reason = "the answer of the verb")]
pub async fn audit(args: AuditArgs) -> Result<ExitCode, Failure> {
    let correlation = correlation(&args.correlation_id)?;
    let directory = data::path_of(args.store.data.data.as_deref())?;
    let store = open::reader(&directory, args.store.database.as_deref()).await?;
    let seed = seed::known(&store).await?.ok_or_else(|| {
        Failure::new(Kind::WrongState, format!("the first start on {} is not over", directory.display()))
    })?;
    let query = AuditQuery { correlation: Some(correlation), limit: RECORDS_MAX, ..AuditQuery::default() };
    let mut records = store.records(seed.tenant, query).await.attempt("reading the audit log")?;
    // The log reads newest first, a story from its beginning.
    records.reverse();
    let names = names(&store, seed.tenant, &records).await?;
    match args.output {
        Output::Json => {
            let all: Vec<Value> = records.iter().map(|r| as_json(r, &names)).collect();
            println!("{:#}", Value::from(all));
        }
        Output::Table if records.is_empty() => {
            println!(
                "Nothing is on record of {correlation}. Plain reads and sign-ins are written within a second."
            );
        }
        Output::Table => records.iter().for_each(|r| println!("{}", line(r, &names))),
    }
    Ok(ExitCode::SUCCESS)
}

/// With its dashes, as headers have it, or without, as a traceparent has it.
fn correlation(text: &str) -> Result<CorrelationId, Failure> {
    let id = uuid::Uuid::try_parse(text).map_err(|_| {
        Failure::new(Kind::Usage, "--correlation-id is no id: 32 hexadecimal digits, with dashes or without")
    })?;
    Ok(id.into())
}

type Names = HashMap<ObjectId, String>;

async fn names(store: &SqlStore, tenant: TenantId, records: &[AuditRecord]) -> Result<Names, Failure> {
    let mut names = Names::new();
    for caller in records.iter().filter_map(|r| r.caller) {
        if !names.contains_key(&caller) {
            let found = store.principal(tenant, caller).await.attempt("reading the directory")?;
            names.extend(found.map(|p| (caller, p.display_name)));
        }
    }
    Ok(names)
}

fn as_json(r: &AuditRecord, names: &Names) -> Value {
    json!({
        "time": r.time.iso7(),
        "correlationId": r.correlation.to_string(),
        "outcome": r.outcome.as_str(),
        "action": r.action,
        "scope": r.scope,
        "caller": r.caller.map(|c| c.to_string()),
        "callerName": r.caller.and_then(|c| names.get(&c)),
        "client": r.client.map(|c| c.to_string()),
        "because": r.because,
    })
}

fn line(r: &AuditRecord, names: &Names) -> String {
    let who = match r.caller {
        None => "somebody".to_owned(),
        Some(caller) => names.get(&caller).cloned().unwrap_or_else(|| caller.to_string()),
    };
    let text = format!(
        "{}  {:<6}  {who}  {}  {}  ({})",
        r.time.iso7(),
        r.outcome.as_str(),
        r.action,
        r.scope,
        r.because
    );
    // What callers chose stays on its line (H06).
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_as_headers_and_traces_have_them() {
        let dashed = "0af76519-16cd-43dd-8448-eb211c80319c";
        for text in [dashed, "0af7651916cd43dd8448eb211c80319c", "0AF7651916CD43DD8448EB211C80319C"] {
            assert_eq!(correlation(text).unwrap().to_string(), dashed);
        }
        assert_eq!(correlation("x").unwrap_err().kind, Kind::Usage);
    }
}
