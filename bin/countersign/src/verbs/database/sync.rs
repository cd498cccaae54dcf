//! `countersign database principal sync`: what `pgaadauth_…` functions wrote down on a server becomes rules of the site.
//!
//! For the roles that were made by those functions the server's table is the truth, as it is in Azure: whom it names
//! may be the role, and nobody else. Rules for other roles are not touched. Who may call the functions decides about
//! this one server; that is what its `entra_admin` means.

use std::{process::ExitCode, time::Duration};

use cs_database::RoleName;
use serde_json::Value;

use super::{SiteArgs, log_in, operator, operator::Operator, session::Session};
use crate::failure::{Attempt, Failure, Kind};

const EVERY: Duration = Duration::from_secs(1);

/// A row of the server's table.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bound {
    oid: String,
    role: String,
    /// Object id and type, where they are known.
    whose: Option<(String, String)>,
    dropped: bool,
}

/// What is to be done at the site for one row.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    /// Rules to be removed, by object id.
    remove: Vec<String>,
    put: bool,
}

/// With `watch`, until told to stop: whatever ends a pass (a session that was ended, a token that ran out, a site that is
/// away) is told, and the next one begins anew.
pub(super) async fn sync(site: &SiteArgs, watch: bool) -> Result<ExitCode, Failure> {
    let (mut open, mut said) = (None, String::new());
    loop {
        let outcome = pass(site, &mut open).await;
        if outcome.is_err() {
            open = None;
        }
        match outcome.unwrap_or_else(Some) {
            Some(failure) if !watch => return Err(failure),
            // Once, not every second.
            Some(failure) if failure.message != said => {
                tell(&failure);
                said = failure.message;
            }
            Some(_) => {}
            None => said.clear(),
        }
        if !watch {
            return Ok(ExitCode::SUCCESS);
        }
        tokio::select! {
            stopped = tokio::signal::ctrl_c() => {
                stopped.attempt("waiting for a signal")?;
                return Ok(ExitCode::SUCCESS);
            }
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

#[expect(clippy::print_stderr, reason = "talk of the verb")]
fn tell(failure: &Failure) {
    eprintln!("{}", cs_telemetry::one_line(&failure.message));
}

/// One look at the server's table. A row that cannot be followed does not keep the others from it; the first such failure
/// is answered.
///
/// # Errors
/// What keeps the table from being read.
async fn pass(site: &SiteArgs, open: &mut Option<(Operator, Session)>) -> Result<Option<Failure>, Failure> {
    let (operator, session) = match open {
        Some(open) => open,
        None => {
            let operator = operator(site).await?;
            let session = log_in(&operator).await?;
            open.insert((operator, session))
        }
    };
    let rows = session.rows("SELECT * FROM countersign.principals_to_sync()", &[]).await?;
    let mut first = None;
    // Roles that are gone come first: their principal may have another one by now.
    for row in rows.into_iter().filter_map(Bound::read) {
        if let Err(failure) = follow(operator, session, row).await {
            first.get_or_insert(failure);
        }
    }
    Ok(first)
}

#[expect(clippy::print_stdout, reason = "the answer of the verb")]
async fn follow(operator: &Operator, session: &mut Session, mut row: Bound) -> Result<(), Failure> {
    if row.whose.is_none() && !row.dropped {
        row.whose = Some(look_up(operator, session, &row).await?);
    }
    let plan = row.plan(&operator.rules().await?);
    for object in &plan.remove {
        operator.delete_rule(object).await?;
        println!("{object} may no longer be \"{}\"", row.role);
    }
    if let (true, Some((object, kind))) = (plan.put, &row.whose) {
        let role = RoleName::parse(&row.role)
            .map_err(|bad| Failure::failed(format!("'{}' cannot be a role: {bad}", row.role)))?;
        let kind = match kind.as_str() {
            "user" => "User",
            "group" => "Group",
            _ => "ServicePrincipal",
        };
        operator.put_rule(object, &role, kind).await?;
        println!("{object} may be \"{}\"", row.role);
    }
    if row.dropped {
        session.ask("SELECT countersign.forgot_principal($1::oid)", &[&row.oid]).await?;
    }
    Ok(())
}

/// `pgaadauth_create_principal` names a principal; the directory knows its object id.
async fn look_up(
    operator: &Operator,
    session: &mut Session,
    row: &Bound,
) -> Result<(String, String), Failure> {
    let found = operator.named(&row.role).await?;
    let [(object, kind)] = found.as_slice() else {
        let what = if found.is_empty() { "nobody" } else { "more than one principal" };
        let failure = Failure::new(Kind::Failed, format!("the directory knows {what} as '{}'", row.role));
        return Err(failure.hint("make the role with pgaadauth_create_principal_with_oid instead"));
    };
    let sql = "SELECT countersign.found_principal($1::oid, $2, $3)";
    session.ask(sql, &[&row.oid, object, kind]).await?;
    Ok((object.clone(), (*kind).to_owned()))
}

impl Bound {
    fn read(row: Vec<Option<String>>) -> Option<Self> {
        let mut values = row.into_iter();
        let mut next = || values.next().flatten();
        let (oid, role) = (next()?, next()?);
        let (object, kind, dropped) = (next(), next(), next());
        Some(Self { oid, role, whose: object.zip(kind), dropped: dropped.as_deref() == Some("t") })
    }

    fn plan(&self, rules: &[Value]) -> Plan {
        let object = self.whose.as_ref().map(|(object, _)| object.as_str());
        let of = |rule: &Value, name: &str| rule[name].as_str().unwrap_or_default().to_ascii_lowercase();
        let of_role: Vec<String> = rules
            .iter()
            .filter(|rule| rule["properties"]["principalName"].as_str() == Some(&self.role))
            .map(|rule| of(rule, "name"))
            .collect();
        let is_owner = |o: &String| object.is_some_and(|object| object.eq_ignore_ascii_case(o));
        if self.dropped {
            // Another role of this name may be somebody else's by now: only the old owner's rule goes.
            return Plan { remove: of_role.into_iter().filter(is_owner).collect(), put: false };
        }
        let there = of_role.iter().any(is_owner);
        Plan {
            remove: of_role.into_iter().filter(|o| !is_owner(o)).collect(),
            put: !there && object.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(object: &str, dropped: bool) -> Bound {
        let value = |text: &str| Some(text.to_owned());
        let flag = if dropped { "t" } else { "f" };
        Bound::read(vec![value("1"), value("reports"), value(object), value("service"), value(flag)]).unwrap()
    }

    fn rule(object: &str, role: &str) -> Value {
        json!({"name": object, "properties": {"principalName": role}})
    }

    #[test]
    fn the_table_is_the_truth_for_its_roles_and_for_no_others() {
        let rules = [rule("b", "reports"), rule("c", "admin")];
        assert_eq!(row("A", false).plan(&rules), Plan { remove: vec!["b".into()], put: true });
        assert_eq!(row("B", false).plan(&rules), Plan { remove: vec![], put: false });
        assert_eq!(row("b", true).plan(&rules), Plan { remove: vec!["b".into()], put: false });
        assert_eq!(row("a", true).plan(&rules), Plan { remove: vec![], put: false });
    }

    #[test]
    fn a_row_whose_owner_is_not_known_gives_nobody_the_role() {
        let row =
            Bound::read(vec![Some("1".into()), Some("x".into()), None, None, Some("f".into())]).unwrap();
        assert_eq!(row.plan(&[rule("b", "x")]), Plan { remove: vec!["b".into()], put: false });
    }
}
