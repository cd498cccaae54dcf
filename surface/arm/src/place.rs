//! The scope a path names.

use cs_ids::{ResourceId, Scope};
use cs_serve::Params;

use crate::failure::Failure;

/// Placeholders that belong to the scope; what comes after the last of them is the operation's own.
const SCOPE_PLACES: &[&str] =
    &["{sub}", "{group}", "{name}", "{extension}", "{container}", "{secret}", "{scope*}"];

/// Whether the whole path is the scope: then a DELETE takes the scope itself away.
pub(crate) fn is_whole(template: &str) -> bool {
    template.rsplit('/').next().is_some_and(|last| SCOPE_PLACES.contains(&last))
}

/// The scope a door is about: its template up to the last of [`SCOPE_PLACES`], filled in. Words of the template are in
/// their defined case, so that one resource has one id whatever the caller wrote. And the same as an id, where it is one
/// of a subscription, group or resource.
pub(crate) fn scope_of(template: &str, params: &Params) -> Result<(Scope, Option<ResourceId>), Failure> {
    let segments: Vec<&str> = template.split('/').filter(|s| !s.is_empty()).collect();
    let end = segments.iter().rposition(|s| SCOPE_PLACES.contains(s)).map_or(0, |at| at + 1);
    let mut text = String::new();
    for segment in &segments[..end] {
        text.push('/');
        match segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
            Some(name) => text.push_str(params.get(name.trim_end_matches('*'))),
            None => text.push_str(segment),
        }
    }
    if text.is_empty() {
        return Ok((Scope::root(), None));
    }
    // A subscription or what is below it is written as the resource manager writes it.
    if let Ok(id) = ResourceId::parse(&text) {
        return Ok((id.scope().clone(), Some(id)));
    }
    Ok((Scope::parse(&text).map_err(|_| Failure::bad_uri())?, None))
}
