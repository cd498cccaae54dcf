//! Which principal may be which role.

use cs_ids::ObjectId;

use crate::RoleName;

/// What a rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleKind {
    User,
    /// Every member of it; the session runs as the group's role.
    Group,
    /// Applications and managed identities.
    Service,
}

impl RuleKind {
    /// `principalType` of an administrator.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
            Self::Service => "ServicePrincipal",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::User, Self::Group, Self::Service].into_iter().find(|k| k.as_str().eq_ignore_ascii_case(text))
    }
}

/// The principal `object` may log in as `role`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub object: ObjectId,
    pub kind: RuleKind,
    pub role: RoleName,
}

/// Why a principal may not be a role. For the log: whoever asks is told one text for all of these (G05).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoRule {
    #[error("no rule gives anybody this role")]
    UnknownRole,
    #[error("the role is another principal's")]
    OtherPrincipal,
}

/// The rule by which `object`, a member of `groups`, may be `role`.
///
/// # Errors
/// [`NoRule`].
pub fn find_rule<'r>(
    rules: &'r [Rule],
    object: ObjectId,
    groups: &[ObjectId],
    role: &str,
) -> Result<&'r Rule, NoRule> {
    let fits = |rule: &&Rule| match rule.kind {
        RuleKind::User | RuleKind::Service => rule.object == object,
        RuleKind::Group => groups.contains(&rule.object),
    };
    let mut of_role = rules.iter().filter(|rule| rule.role.as_str() == role).peekable();
    if of_role.peek().is_none() {
        return Err(NoRule::UnknownRole);
    }
    of_role.find(fits).ok_or(NoRule::OtherPrincipal)
}

#[cfg(test)]
mod tests {
    use cs_ids::ObjectId;

    use super::*;

    fn object(n: u8) -> ObjectId {
        format!("00000000-0000-0000-0000-0000000000{n:02}").parse().unwrap()
    }

    fn rule(n: u8, kind: RuleKind, role: &str) -> Rule {
        Rule { object: object(n), kind, role: RoleName::parse(role).unwrap() }
    }

    #[test]
    fn g05_the_object_id_decides_and_the_name_only_picks() {
        let rules = [rule(1, RuleKind::Service, "reports"), rule(2, RuleKind::Service, "admin")];
        assert_eq!(find_rule(&rules, object(1), &[], "reports"), Ok(&rules[0]));
        assert_eq!(find_rule(&rules, object(1), &[], "admin"), Err(NoRule::OtherPrincipal));
        assert_eq!(find_rule(&rules, object(1), &[], "Reports"), Err(NoRule::UnknownRole));
        assert_eq!(find_rule(&[], object(1), &[], "reports"), Err(NoRule::UnknownRole));
    }

    #[test]
    fn members_log_in_as_their_groups_role_and_groups_do_not_log_in_themselves() {
        let rules = [rule(9, RuleKind::Group, "Data Team")];
        assert_eq!(find_rule(&rules, object(1), &[object(8), object(9)], "Data Team"), Ok(&rules[0]));
        assert_eq!(find_rule(&rules, object(1), &[object(8)], "Data Team"), Err(NoRule::OtherPrincipal));
        assert_eq!(find_rule(&rules, object(9), &[], "Data Team"), Err(NoRule::OtherPrincipal));
        // A rule for a principal does not become one for a group of the same id.
        let own = [rule(9, RuleKind::Service, "x")];
        assert_eq!(find_rule(&own, object(1), &[object(9)], "x"), Err(NoRule::OtherPrincipal));
    }
}
