//! What requests ask for, read once: a program asks with the same path and query over and over, and so do its neighbours.
//!
//! Only what follows from the method and target alone is remembered; headers, callers and challenges are looked at each time.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use cs_serve::{BadQuery, Params, Query, Response};
use http::{Method, Uri, request::Parts};

use crate::doors::Op;

/// Targets that are remembered: a resource and an identity each. Whoever asks for more costs what it cost before.
const REMEMBERED_MAX: usize = 128;
/// Longer ones are read each time, in bytes: nobody shall fill memory by asking.
const TARGET_MAX_BYTES: usize = 1024;
/// The one name that some agents of the public cloud send more than once (metadata.md 3.4); it means nothing here.
const REPEATED: &str = "xms_az_nwperimid";

/// A door, and what was asked there.
#[derive(Debug)]
pub(crate) struct Target {
    pub op: Op,
    pub params: Params,
    /// Doors with a query that cannot be read say so themselves, after other things.
    pub query: Result<Query, BadQuery>,
    pub is_doubled: bool,
}

/// By path and query, of GET.
#[derive(Default)]
pub(crate) struct Targets(RwLock<HashMap<Box<str>, Arc<Target>>>);

impl Targets {
    /// What `anew` reads, or has read of the same target before. Refusals are not remembered.
    pub(crate) fn read(
        &self,
        request: &Parts,
        anew: impl Fn(&Method, &Uri) -> Result<Target, Response>,
    ) -> Result<Arc<Target>, Response> {
        let (method, uri) = (&request.method, &request.uri);
        let text = uri.path_and_query().map(|target| target.as_str());
        let Some(text) = text.filter(|t| *method == Method::GET && t.len() <= TARGET_MAX_BYTES) else {
            return anew(method, uri).map(Arc::new);
        };
        if let Some(known) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(text) {
            return Ok(Arc::clone(known));
        }
        let target = Arc::new(anew(method, uri)?);
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED_MAX {
            all.clear();
        }
        all.insert(text.into(), Arc::clone(&target));
        Ok(target)
    }
}

pub(crate) fn is_doubled(query: &Query) -> bool {
    let names = || query.iter().map(|(name, _)| name).filter(|n| !n.eq_ignore_ascii_case(REPEATED));
    names().enumerate().any(|(i, name)| names().take(i).any(|before| before.eq_ignore_ascii_case(name)))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn get(targets: &Targets, method: Method, uri: &str, reads: &Cell<usize>) -> Arc<Target> {
        let request = http::Request::builder().method(method).uri(uri).body(()).unwrap().into_parts().0;
        let anew = |_: &Method, uri: &Uri| {
            reads.set(reads.get() + 1);
            let query = Query::parse(uri.query());
            Ok(Target { op: Op::Token, params: Params::default(), query, is_doubled: false })
        };
        targets.read(&request, anew).unwrap_or_else(|_| unreachable!("nothing is refused"))
    }

    #[test]
    fn a_target_is_read_once_and_taken_for_no_other() {
        let (targets, reads) = (Targets::default(), Cell::new(0));
        let resource = |uri: &str| {
            let target = get(&targets, Method::GET, uri, &reads);
            target.query.as_ref().unwrap().get("resource").unwrap().to_owned()
        };
        for _ in 0..3 {
            assert_eq!(resource("/t?resource=a"), "a");
            assert_eq!(resource("http://other/t?resource=b"), "b");
            assert_eq!(resource("/t?resource=%61"), "a");
        }
        assert_eq!(reads.get(), 3);
        get(&targets, Method::POST, "/t?resource=a", &reads);
        assert_eq!(reads.get(), 4, "another method is another request");
    }

    #[test]
    fn a28_what_is_asked_fills_no_memory() {
        let (targets, reads) = (Targets::default(), Cell::new(0));
        for n in 0..3 * REMEMBERED_MAX {
            get(&targets, Method::GET, &format!("/t?resource={n}"), &reads);
        }
        let long = format!("/t?resource={}", "x".repeat(TARGET_MAX_BYTES));
        get(&targets, Method::GET, &long, &reads);
        let all = targets.0.read().unwrap();
        assert!(all.len() <= REMEMBERED_MAX && !all.contains_key(long.as_str()));
    }
}
