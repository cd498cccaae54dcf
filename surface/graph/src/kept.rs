//! Members that are kept as they come, and of which type each is: <https://learn.microsoft.com/graph/api/resources/application>
//! and its neighbours `servicePrincipal`, `user` and `group`, which share their names. A member of another type would end the
//! list for every client that has types. What is not named here is let through, and so is `null`.

use serde_json::{Map, Value};

use crate::{body::wrong, failure::Failure};

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Texts,
    Flag,
    Object,
    Objects,
}

use Kind::{Flag, Object, Objects, Text, Texts};

/// A member, or one within another behind a dot.
const KEPT: &[(&str, Kind)] = &[
    // Of applications and service principals.
    ("addIns", Objects),
    ("api", Object),
    ("api.knownClientApplications", Texts),
    ("api.oauth2PermissionScopes", Objects),
    ("api.preAuthorizedApplications", Objects),
    ("appRoleAssignmentRequired", Flag),
    ("appRoles", Objects),
    ("defaultRedirectUri", Text),
    ("description", Text),
    ("groupMembershipClaims", Text),
    ("homepage", Text),
    ("info", Object),
    ("isDeviceOnlyAuthSupported", Flag),
    ("isFallbackPublicClient", Flag),
    ("loginUrl", Text),
    ("logoutUrl", Text),
    ("notes", Text),
    ("notificationEmailAddresses", Texts),
    ("optionalClaims", Object),
    ("parentalControlSettings", Object),
    ("preferredSingleSignOnMode", Text),
    ("publicClient", Object),
    ("publicClient.redirectUris", Texts),
    ("replyUrls", Texts),
    ("requiredResourceAccess", Objects),
    ("samlMetadataUrl", Text),
    ("serviceManagementReference", Text),
    ("signInAudience", Text),
    ("spa", Object),
    ("spa.redirectUris", Texts),
    ("tags", Texts),
    ("tokenEncryptionKeyId", Text),
    ("web", Object),
    ("web.homePageUrl", Text),
    ("web.implicitGrantSettings", Object),
    ("web.logoutUrl", Text),
    ("web.redirectUriSettings", Objects),
    ("web.redirectUris", Texts),
    // Of users and groups.
    ("businessPhones", Texts),
    ("city", Text),
    ("classification", Text),
    ("companyName", Text),
    ("country", Text),
    ("department", Text),
    ("employeeId", Text),
    ("givenName", Text),
    ("groupTypes", Texts),
    ("jobTitle", Text),
    ("mail", Text),
    ("mobilePhone", Text),
    ("officeLocation", Text),
    ("onPremisesImmutableId", Text),
    ("otherMails", Texts),
    ("postalCode", Text),
    ("preferredLanguage", Text),
    ("state", Text),
    ("streetAddress", Text),
    ("surname", Text),
    ("usageLocation", Text),
    ("visibility", Text),
];

/// # Errors
/// The first member of another type than Graph's, by its name.
pub(crate) fn check(members: &Map<String, Value>) -> Result<(), Failure> {
    let of = |path: &str| match path.split_once('.') {
        None => members.get(path),
        Some((outer, inner)) => members.get(outer).and_then(|m| m.get(inner)),
    };
    let odd = KEPT.iter().find(|(path, kind)| !of(path).is_none_or(|value| kind.fits(value)));
    odd.map_or(Ok(()), |(path, _)| Err(wrong(path)))
}

impl Kind {
    fn fits(self, value: &Value) -> bool {
        let all = |fits: fn(&Value) -> bool| value.as_array().is_some_and(|all| all.iter().all(fits));
        value.is_null()
            || match self {
                Text => value.is_string(),
                Texts => all(Value::is_string),
                Flag => value.is_boolean(),
                Object => value.is_object(),
                Objects => all(Value::is_object),
            }
    }
}
