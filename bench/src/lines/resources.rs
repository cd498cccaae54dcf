//! The resource manager: a resource read beside hello-world, listings of a million machines beside a thousand, and
//! enrolments in a long row.

use std::time::Duration;

use anyhow::{Context, Result};
use http::{Request, StatusCode, header};
use serde_json::json;

use super::metadata::{beside_hello, rate};
use crate::{
    line::{Aim, Figure, Line, Outcome, in_turns},
    load::{Connection, block_on, hammer},
    site::{MANAGEMENT, Site},
};

pub struct Get;
pub struct Page;
pub struct Tag;
pub struct Enrol;

const READERS: usize = 8;
const TURN: Duration = Duration::from_millis(1500);
const VERSION: &str = "api-version=2024-07-10";
const MACHINES: &str = "Microsoft.HybridCompute/machines";
const FEW: u32 = 1000;
const MANY: u32 = 1_000_000;
/// Of a page; the same in both subscriptions.
const PAGE: u32 = 100;
const ENROLMENTS: u32 = 100_000;
const COUNTED: u32 = 1000;

impl Line for Get {
    fn name(&self) -> &'static str {
        "resource-get"
    }

    fn about(&self) -> &'static str {
        "GET of a machine, beside hello-world over TLS"
    }

    fn measure(&self) -> Result<Outcome> {
        let site = Site::start()?;
        let (bearer, target) = (site.bearer(MANAGEMENT)?, site.management()?);
        let machine = format!("{}/providers/{MACHINES}/bench?{VERSION}", site.group()?);
        block_on(async { enrol(&mut target.connect().await?, &machine, &bearer).await })?;
        beside_hello(true, READERS, Aim::RatioAtLeast(0.5), || {
            rate(&site.process, &target, READERS, async |connection, _, _| {
                read(connection, &machine, &bearer).await
            })
        })
    }
}

impl Line for Page {
    fn name(&self) -> &'static str {
        "list-million"
    }

    fn about(&self) -> &'static str {
        "server processor time of a page of machines, at 1,000,000 beside 1,000"
    }

    fn measure(&self) -> Result<Outcome> {
        beside_few(&format!("providers/{MACHINES}?{VERSION}&$top={PAGE}"))
    }
}

impl Line for Tag {
    fn name(&self) -> &'static str {
        "tag-million"
    }

    fn about(&self) -> &'static str {
        "server processor time of a page filtered by tag, at 1,000,000 beside 1,000"
    }

    fn measure(&self) -> Result<Outcome> {
        beside_few(&format!(
            "resources?{VERSION}&$top={PAGE}&$filter=tagName%20eq%20'env'%20and%20tagValue%20eq%20'dev'"
        ))
    }
}

impl Line for Enrol {
    fn name(&self) -> &'static str {
        "enrol-long"
    }

    fn about(&self) -> &'static str {
        "server processor time of the last thousand of 100,000 enrolments in a row, beside the first"
    }

    /// One row of enrolments is the measurement: there are no turns to take. Processor time, since minutes lie between the
    /// two and the machine may have other work in one of them.
    fn measure(&self) -> Result<Outcome> {
        let site = Site::start()?;
        let (bearer, target, group) = (site.bearer(MANAGEMENT)?, site.management()?, site.group()?);
        let spent = || site.process.processor_time();
        let (first, last) = block_on(async {
            let mut connection = target.connect().await?;
            let begun = spent()?;
            let (mut first, mut before_last) = (begun, begun);
            for n in 0..ENROLMENTS {
                if n == ENROLMENTS - COUNTED {
                    before_last = spent()?;
                }
                enrol(&mut connection, &format!("{group}/providers/{MACHINES}/m{n}?{VERSION}"), &bearer)
                    .await?;
                if n + 1 == COUNTED {
                    first = spent()?;
                }
            }
            anyhow::Ok((first - begun, spent()? - before_last))
        })?;
        let each = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(COUNTED);
        Ok(Outcome::Measured(Figure::beside(&[(each(first), each(last))], "us", Aim::RatioAtMost(1.2))))
    }
}

/// Both subscriptions lie in one site's database, so that both share its caches and the machine.
fn beside_few(list: &str) -> Result<Outcome> {
    let mut site = Site::start()?;
    site.while_stopped(seed)?;
    let (bearer, target) = (site.bearer(MANAGEMENT)?, site.management()?);
    let cost = |subscription: String| {
        let path = format!("/subscriptions/{subscription}/{list}");
        let before = site.process.processor_time()?;
        let run = hammer(&target, 1, TURN, async |connection, _, _| read(connection, &path, &bearer).await)?;
        Ok((site.process.processor_time()? - before).as_secs_f64() * 1e6 / run.operations as f64)
    };
    let rounds = in_turns(|| cost(subscription(FEW)), || cost(subscription(MANY)))?;
    Ok(Outcome::Measured(Figure::beside(&rounds, "us", Aim::RatioAtMost(1.2))))
}

async fn read(connection: &mut Connection, path: &str, bearer: &str) -> Result<()> {
    let request = Request::get(path).header(header::AUTHORIZATION, bearer);
    connection.expect(request, "", StatusCode::OK).await.map(drop)
}

async fn enrol(connection: &mut Connection, path: &str, bearer: &str) -> Result<()> {
    let request = Request::put(path)
        .header(header::AUTHORIZATION, bearer)
        .header(header::CONTENT_TYPE, "application/json");
    let body = json!({"location": "local", "tags": {"env": "dev"}, "properties": {}}).to_string();
    connection.expect(request, body, StatusCode::OK).await.map(drop)
}

/// The subscription that holds so many.
fn subscription(machines: u32) -> String {
    format!("00000000-0000-4000-8000-{machines:012}")
}

/// Puts machines straight into the stopped site's database; each with a tag of one value.
fn seed(database: &std::path::Path) -> Result<()> {
    let db = rusqlite::Connection::open(database)?;
    let tenant: String =
        db.query_row("SELECT tenant FROM tenants", [], |row| row.get(0)).context("no tenant")?;
    db.execute_batch("BEGIN")?;
    for machines in [FEW, MANY] {
        let s = subscription(machines);
        db.execute("INSERT INTO subscriptions (id, tenant, display_name, tags, created) VALUES (?1, ?2, 'bench', '[]', 0)", [&s, &tenant])?;
        let group = format!("/subscriptions/{s}/resourceGroups/bench");
        insert(
            &db,
            (&tenant, &s),
            "Microsoft.Resources/resourceGroups",
            &format!("'{group}'"),
            "'bench'",
            1,
        )?;
        let id = format!("'{group}/providers/{MACHINES}/m' || n");
        insert(&db, (&tenant, &s), MACHINES, &id, "'m' || n", machines)?;
        db.execute(
            "INSERT INTO resource_tags (tenant, subscription, name_key, value, id_key, name)
             SELECT tenant, subscription, 'env', 'dev', id_key, 'env' FROM resources WHERE subscription = ?1 AND kind = ?2",
            [s.as_str(), MACHINES],
        )?;
    }
    db.execute_batch("COMMIT")?;
    Ok(())
}

fn insert(
    db: &rusqlite::Connection,
    (tenant, subscription): (&str, &str),
    kind: &str,
    id: &str,
    name: &str,
    count: u32,
) -> Result<()> {
    let sql = format!(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})
         INSERT INTO resources (tenant, id_key, id, subscription, group_key, kind_key, kind, name_key, location, tags, extra,
           properties, created, updated, created_by, updated_by, generation)
         SELECT ?1, LOWER({id}), {id}, ?2, 'bench', LOWER(?3), ?3, LOWER({name}), 'local', '[[\"env\",\"dev\"]]', '{{}}',
           '{{\"osType\":\"linux\"}}', 0, 0, '', '', 1 FROM numbers"
    );
    db.execute(&sql, [tenant, subscription, kind])?;
    Ok(())
}
