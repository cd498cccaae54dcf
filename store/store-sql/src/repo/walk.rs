//! Lists over scopes: what holds at a scope comes from above it too, and may lie below.

use cs_ids::{Scope, TenantId};
use cs_store::{Part, StoreError};

use super::assignments::{below_range, parent_key};
use crate::{Conn, Row, values};

/// The two statements of such a list.
pub(super) struct Walk {
    /// At scope `$2`, after name `$3`, by name, at most `$4`.
    pub at: &'static str,
    /// After scope `$2` and name `$3`, before scope `$4`, by both, at most `$5`.
    pub below: &'static str,
}

/// The part of the list that was asked for, from the root down.
pub(super) async fn walk(
    c: &mut Conn<'_>,
    tenant: TenantId,
    (scope, below): (&Scope, bool),
    part: &Part,
    sql: &Walk,
) -> Result<Vec<Row>, StoreError> {
    let mut line: Vec<String> =
        std::iter::successors(Some(scope.key().to_owned()), |key| parent_key(key)).collect();
    line.reverse();
    let limit = part.limit as usize;
    let begins = part.after.as_ref().map(|after| line.iter().position(|key| *key == after.scope));
    let mut found = Vec::new();
    // Beyond the line the part begins below, or nowhere.
    for (n, key) in line.iter().enumerate().skip(begins.map_or(0, |at| at.unwrap_or(line.len()))) {
        if found.len() >= limit {
            return Ok(found);
        }
        let after = part.after.as_ref().filter(|_| begins == Some(Some(n))).map_or("", |after| &after.name);
        let room = left(limit, &found);
        found.extend(c.rows(sql.at, &values![tenant, key, after, room]).await?);
    }
    if below && found.len() < limit {
        let (from, to) = below_range(scope.key());
        // A place is the caller's word: one that is not within the list is where the list begins.
        let after = part.after.as_ref().filter(|after| begins == Some(None) && after.scope >= from);
        let (scope, name) = after.map_or((from.as_str(), ""), |a| (a.scope.as_str(), a.name.as_str()));
        let room = left(limit, &found);
        found.extend(c.rows(sql.below, &values![tenant, scope, name, to, room]).await?);
    }
    Ok(found)
}

fn left(limit: usize, found: &[Row]) -> u32 {
    u32::try_from(limit - found.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use crate::repo::{assignments, locks, planned::plan, rules};

    #[tokio::test]
    async fn lists_over_scopes_begin_where_they_are_told_to() {
        for (list, table) in [
            (&assignments::LIST, "assignments"),
            (&locks::LIST, "locks"),
            (&rules::DENIES, "deny_assignments"),
        ] {
            let (at, below) = (plan(list.at).await, plan(list.below).await);
            assert!(at.contains(&format!("SEARCH {table}")) && at.contains("scope_key=?"), "{at}");
            assert!(below.contains(&format!("SEARCH {table}")) && below.contains("scope_key"), "{below}");
            assert!(!at.contains("TEMP B-TREE") && !below.contains("TEMP B-TREE"), "{at}\n{below}");
        }
    }
}
