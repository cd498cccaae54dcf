//! The claims of an access token (sts.md 6), in the order they are written.

use serde::Serialize;

/// v1 tokens: what every resource of this site takes. Tokens for the exchange are v2 ones, whose issuer is the one that
/// federated credentials name.
#[derive(Debug, Serialize)]
pub(crate) struct Claims<'c> {
    pub aud: &'c str,
    pub iss: &'c str,
    /// Issue time less five minutes, like `nbf`: the clocks of verifiers differ.
    pub iat: i64,
    pub nbf: i64,
    pub exp: i64,
    /// `azp` in v2 tokens, and [`Self::appidacr`] `azpacr`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appid: Option<&'c str>,
    /// `"1"` a secret, `"2"` a signed assertion. A string.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appidacr: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub azp: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub azpacr: Option<&'static str>,
    pub idp: &'c str,
    pub idtyp: &'static str,
    pub oid: &'c str,
    pub sub: &'c str,
    pub tid: &'c str,
    /// Our token id: names the token in the audit log.
    pub uti: &'c str,
    pub ver: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xms_az_rid: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xms_mirid: Option<&'c str>,
}

/// A resource id as consumers' expressions want it: `resourcegroups` in lower case, names as they are.
pub(crate) fn spelled_for_claims(resource: &str) -> String {
    let segment = |s: &str| {
        if s.eq_ignore_ascii_case("resourcegroups") { "resourcegroups".to_owned() } else { s.to_owned() }
    };
    resource.split('/').map(segment).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resource_groups_are_lower_case_in_claims() {
        assert_eq!(
            spelled_for_claims("/subscriptions/s/resourceGroups/Lab/x"),
            "/subscriptions/s/resourcegroups/Lab/x"
        );
    }
}
