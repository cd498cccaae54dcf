//! What a request asks for, read once: clients ask for the same resource over and over, and reading its path (a row of some
//! hundred, the scope in its canonical form, the id) costs more than deciding whether it may be shown.
//!
//! Only what follows from method, path and query alone is remembered. Who asks, with what headers, body and right, is looked at
//! each time, and so is what is there.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use cs_ids::{ResourceId, Scope};
use cs_serve::{Door, Params, Query};
use http::{Method, Uri};

use crate::{
    doors::{Op, Type},
    failure::Failure,
    place,
};

/// Requests that are remembered. When there are more, all are read anew.
const REMEMBERED_MAX: usize = 1024;
/// Longer ones are read each time, in bytes: nobody shall fill memory by asking.
const ASKED_MAX_BYTES: usize = 1024;

/// A door, and what a path and a query say there.
pub(crate) struct Asked {
    /// The type whose table the door is in.
    pub kind: &'static Type,
    pub door: &'static Door<Op>,
    pub params: Params,
    pub query: Query,
    /// As received.
    pub path: String,
    /// What the path is about, and where authorisation was asked for.
    pub scope: Scope,
    /// The same, where it is a subscription, group or resource.
    pub resource: Option<ResourceId>,
}

impl Asked {
    /// # Errors
    /// A path that is no scope.
    pub fn at(mut self) -> Result<Self, Failure> {
        (self.scope, self.resource) = place::scope_of(self.door.path, &self.params)?;
        Ok(self)
    }
}

/// By path and query, of GET.
#[derive(Default)]
pub(crate) struct Memory(RwLock<HashMap<Box<str>, Arc<Asked>>>);

impl Memory {
    pub fn of(&self, method: &Method, uri: &Uri) -> Option<Arc<Asked>> {
        let text = key(method, uri)?;
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(text).map(Arc::clone)
    }

    pub fn keep(&self, method: &Method, uri: &Uri, asked: &Arc<Asked>) {
        let Some(text) = key(method, uri) else { return };
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED_MAX {
            all.clear();
        }
        all.insert(text.into(), Arc::clone(asked));
    }
}

fn key<'u>(method: &Method, uri: &'u Uri) -> Option<&'u str> {
    let text = uri.path_and_query()?.as_str();
    (*method == Method::GET && text.len() <= ASKED_MAX_BYTES).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doors::Tables;

    const RESOURCE: &str = "/subscriptions/8a4c1f9e-52d3-4bb0-9b1a-0d4f5e6a7b8c/resourceGroups/g/providers/Microsoft.Storage/storageAccounts";

    fn asked(path: &str) -> Arc<Asked> {
        let query = Query::parse(Some("api-version=2023-01-01")).unwrap();
        let way = Tables::new().find("GET", path, &query).unwrap_or_else(|_| unreachable!("a door"));
        Arc::new(way.asked(query, path.to_owned()).at().unwrap_or_else(|_| unreachable!("a scope")))
    }

    #[test]
    fn d01_what_is_remembered_is_of_the_very_same_text() {
        let memory = Memory::default();
        let (one, other) = (format!("{RESOURCE}/one"), format!("{RESOURCE}/ONE"));
        let uri = |text: &str| text.parse::<Uri>().unwrap();
        memory.keep(&Method::GET, &uri(&one), &asked(&one));
        let known = memory.of(&Method::GET, &uri(&one)).unwrap();
        assert_eq!(
            (known.scope.key(), known.path.as_str()),
            (one.to_ascii_lowercase().as_str(), one.as_str())
        );
        assert!(memory.of(&Method::GET, &uri(&other)).is_none());
        assert!(memory.of(&Method::GET, &uri(&format!("{one}?api-version=2023-01-01"))).is_none());
        assert!(memory.of(&Method::DELETE, &uri(&one)).is_none());
        memory.keep(&Method::PUT, &uri(&other), &asked(&other));
        assert!(memory.of(&Method::PUT, &uri(&other)).is_none(), "what changes something is read each time");
    }

    #[test]
    fn d07_what_is_asked_fills_no_memory() {
        let memory = Memory::default();
        let one = asked(&format!("{RESOURCE}/one"));
        for n in 0..3 * REMEMBERED_MAX {
            memory.keep(&Method::GET, &format!("/{n}").parse().unwrap(), &one);
        }
        let long: Uri = format!("/{}", "x".repeat(ASKED_MAX_BYTES)).parse().unwrap();
        memory.keep(&Method::GET, &long, &one);
        assert!(memory.0.read().unwrap().len() <= REMEMBERED_MAX);
        assert!(memory.of(&Method::GET, &long).is_none());
    }
}
