//! What operations there are (rbac.md 9): made of the tables, so that a role can be written from it.

use cs_rbac::SERVED_OPERATIONS;
use cs_serve::{Needs, json};
use cs_wire_arm::{
    CatalogueOperation, CatalogueProvider, CatalogueType, List, ProviderOperation, ProviderOperationDisplay,
};
use http::StatusCode;

use super::{SAME_FOR_ALL, namespace_of, namespaces};
use crate::{
    call::{Answer, Call},
    doors::{Body, OF_MACHINES, Type, entries, open_door},
};

const KIND: &str = "Microsoft.Authorization/providerOperations";
const ALL: &str = "/providers/Microsoft.Authorization/providerOperations";
const ONE: &str = "/providers/Microsoft.Authorization/providerOperations/{namespace}";

pub(crate) static TYPE: Type = Type {
    name: KIND,
    about: "The catalogue of operations, with those over data.",
    versions: &["2022-04-01", "2018-01-01-preview", "2015-07-01"],
    rows: &[
        open_door("GET", ALL, Body::Nothing, SAME_FOR_ALL, |c| Box::pin(list(c))),
        open_door("GET", ONE, Body::Nothing, SAME_FOR_ALL, |c| Box::pin(show(c))),
    ],
};

/// An operation, taken apart.
#[derive(Clone, Copy)]
struct Known {
    name: &'static str,
    is_data: bool,
}

impl Known {
    fn namespace(self) -> &'static str {
        self.name.split('/').next().unwrap_or_default()
    }

    /// `vaults/secrets` of `Microsoft.KeyVault/vaults/secrets/getSecret/action`, and what is done with it.
    fn parts(self) -> (&'static str, &'static str) {
        let rest = self.name.split_once('/').map_or("", |(_, rest)| rest);
        let rest = rest.strip_suffix("/action").unwrap_or(rest);
        rest.rsplit_once('/').unwrap_or(("", rest))
    }

    /// In words, as far as the name has them.
    fn told(self) -> String {
        let (kind, verb) = self.parts();
        let verb = match verb {
            "read" => "Read".to_owned(),
            "write" => "Create or update".to_owned(),
            "delete" => "Delete".to_owned(),
            other => words(other),
        };
        format!("{verb}: {kind}")
    }

    fn description(self) -> String {
        let over = if self.is_data { "Data" } else { "Management" };
        format!("{over} operation of {}: {}.", self.namespace(), self.told())
    }
}

/// `listAccountSas` as `List account sas`.
fn words(name: &str) -> String {
    let mut text = String::new();
    for (at, c) in name.chars().enumerate() {
        if at > 0 && c.is_ascii_uppercase() {
            text.push(' ');
        }
        text.push(if at == 0 { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() });
    }
    text
}

/// Every operation of a provider once, in the order of their names.
fn operations(namespace: &str) -> Vec<Known> {
    let of_tables = entries().filter_map(|entry| match entry.needs {
        Needs::Action(action) => Some((action, false)),
        _ => None,
    });
    let of_machines = OF_MACHINES.iter().map(|action| (*action, false));
    let all = of_tables.chain(of_machines).chain(SERVED_OPERATIONS.iter().copied());
    let all = all.map(|(name, is_data)| Known { name, is_data });
    let mut all: Vec<Known> = all.filter(|known| known.namespace() == namespace).collect();
    all.sort_by_key(|known| (known.name.to_lowercase(), known.is_data));
    all.dedup_by(|a, b| a.is_data == b.is_data && a.name.eq_ignore_ascii_case(b.name));
    all
}

async fn list(call: &Call) -> Answer {
    let all: Vec<_> = namespaces().into_iter().map(|namespace| provider(call, namespace)).collect();
    Ok(json(StatusCode::OK, &List::from(all)))
}

async fn show(call: &Call) -> Answer {
    Ok(json(StatusCode::OK, &provider(call, namespace_of(call)?)))
}

/// The types of a provider are told where they are asked for.
fn provider(call: &Call, namespace: &'static str) -> CatalogueProvider {
    let expand = call.query.get("$expand").is_some_and(|e| e.eq_ignore_ascii_case("resourceTypes"));
    let mut types: Vec<CatalogueType> = Vec::new();
    let mut own = Vec::new();
    for known in operations(namespace) {
        let kind = known.parts().0;
        let operation = CatalogueOperation {
            name: known.name,
            display_name: known.told(),
            description: known.description(),
            origin: "user,system",
            is_data_action: known.is_data,
        };
        match types.iter_mut().find(|known| known.name.eq_ignore_ascii_case(kind)) {
            _ if kind.is_empty() => own.push(operation),
            Some(known) => known.operations.push(operation),
            None => types.push(CatalogueType { name: kind, display_name: kind, operations: vec![operation] }),
        }
    }
    CatalogueProvider {
        id: format!("{ALL}/{namespace}"),
        name: namespace,
        kind: KIND,
        display_name: namespace,
        operations: own,
        resource_types: if expand { types } else { Vec::new() },
    }
}

/// The same as providers themselves list it.
pub(super) async fn of_provider(call: &Call) -> Answer {
    let namespace = namespace_of(call)?;
    let reply = |known: Known| ProviderOperation {
        name: known.name,
        is_data_action: known.is_data,
        display: ProviderOperationDisplay {
            provider: namespace,
            resource: known.parts().0,
            operation: known.told(),
            description: known.description(),
        },
        origin: "user,system",
    };
    let all: Vec<_> = operations(namespace).into_iter().map(reply).collect();
    Ok(json(StatusCode::OK, &List::from(all)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_and_told() {
        let of = |name| Known { name, is_data: false };
        let sas = of("Microsoft.Storage/storageAccounts/listAccountSas/action");
        assert_eq!(
            (sas.namespace(), sas.parts()),
            ("Microsoft.Storage", ("storageAccounts", "listAccountSas"))
        );
        assert_eq!(sas.told(), "List account sas: storageAccounts");
        assert_eq!(of("Microsoft.X/register/action").parts(), ("", "register"));
        assert_eq!(of("Microsoft.X/a/b/read").told(), "Read: a/b");
    }
}
