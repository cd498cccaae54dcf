//! Trust in another issuer's tokens (sts.md 3.4): what may be written down, so that comparing it byte for byte is safe.

use std::fmt;

/// Longest issuer and subject, in characters (arm.md 4.7).
const TEXT_MAX_CHARS: usize = 600;
const NAME_CHARS: std::ops::RangeInclusive<usize> = 3..=120;

/// Which rule a federation breaks, in words for an error message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{member}' {why}")]
pub struct BadFederation {
    pub member: &'static str,
    pub why: &'static str,
}

/// Tokens of `issuer` about `subject` for one of `audiences`. Compared exactly: no case, no slash, no port is forgiven
/// (B14), so whatever could be written two ways is refused here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Federation {
    issuer: String,
    subject: String,
    audiences: Vec<String>,
}

impl Federation {
    /// # Errors
    /// [`BadFederation`].
    pub fn new(issuer: &str, subject: &str, audiences: Vec<String>) -> Result<Self, BadFederation> {
        check_issuer(issuer).map_err(|why| BadFederation { member: "issuer", why })?;
        check_subject(subject).map_err(|why| BadFederation { member: "subject", why })?;
        let fits = |a: &String| (1..=TEXT_MAX_CHARS).contains(&a.chars().count()) && is_plain(a);
        if audiences.len() != 1 || !audiences.iter().all(fits) {
            let why = "must hold exactly one audience, usually api://AzureADTokenExchange";
            return Err(BadFederation { member: "audiences", why });
        }
        Ok(Self { issuer: issuer.to_owned(), subject: subject.to_owned(), audiences })
    }

    /// The name of a credential: a letter or digit, then letters, digits, `-` and `_`.
    ///
    /// # Errors
    /// [`BadFederation`].
    pub fn check_name(name: &str) -> Result<(), BadFederation> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let begins = name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
        if begins && NAME_CHARS.contains(&name.len()) && name.bytes().all(fits) {
            return Ok(());
        }
        let why = "must have 3 to 120 letters, digits, '-' or '_', and begin with a letter or digit";
        Err(BadFederation { member: "name", why })
    }

    /// Issuer, subject and audiences.
    pub fn into_parts(self) -> (String, String, Vec<String>) {
        (self.issuer, self.subject, self.audiences)
    }
}

impl fmt::Display for Federation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.subject, self.issuer)
    }
}

/// An address that has one spelling: `https`, a host in lower case, no port that goes without saying, a plain path.
fn check_issuer(text: &str) -> Result<(), &'static str> {
    if text.is_empty() || text.chars().count() > TEXT_MAX_CHARS {
        return Err("must have 1 to 600 characters");
    }
    let rest = text.strip_prefix("https://").ok_or("must begin with https://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    let labels =
        |l: &str| !l.is_empty() && !l.starts_with('-') && !l.ends_with('-') && !l.starts_with("xn--");
    if !host.bytes().all(plain) || !host.split('.').all(labels) {
        return Err("must name a host in lower-case letters, digits, '-' and '.', and not in punycode");
    }
    let fits = |p: &str| p != "443" && !p.starts_with('0') && p.parse::<u16>().is_ok_and(|n| n > 0);
    if port.is_some_and(|p| !fits(p)) {
        return Err("must not name port 443, or a port that is none");
    }
    let odd = |c: char| !c.is_ascii_graphic() || matches!(c, '?' | '#' | '%' | '\\' | '"' | '<' | '>' | '@');
    let segments = path.strip_suffix('/').unwrap_or(path).split('/').skip(1);
    if path.chars().any(odd) || { segments }.any(|s| s.is_empty() || s == "." || s == "..") {
        return Err("must have a plain path without query, fragment, escapes or empty segments");
    }
    Ok(())
}

/// Exact text. What looks like a pattern is refused: it would match nothing, and whoever wrote it meant it to (B15).
fn check_subject(text: &str) -> Result<(), &'static str> {
    if text.is_empty() || text.chars().count() > TEXT_MAX_CHARS || !is_plain(text) {
        return Err("must have 1 to 600 characters without control characters or blanks around it");
    }
    if text.contains('*') || text.starts_with('^') || text.ends_with('$') {
        return Err("is compared as it is: patterns are not understood");
    }
    Ok(())
}

fn is_plain(text: &str) -> bool {
    !text.chars().any(char::is_control) && text.trim() == text
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUDIENCE: &str = "api://AzureADTokenExchange";

    fn issuer(text: &str) -> bool {
        Federation::new(text, "s", vec![AUDIENCE.to_owned()]).is_ok()
    }

    #[test]
    fn b14_issuers_have_one_spelling() {
        for good in [
            "https://token.actions.githubusercontent.com",
            "https://kubernetes.default.svc.cluster.local",
            "https://issuer.example:8443/realms/lab",
            "https://tenant.auth.example/",
            "https://10.0.0.1/x",
        ] {
            assert!(issuer(good), "{good}");
        }
        for bad in [
            "",
            "http://issuer.example",
            "HTTPS://issuer.example",
            "https://Issuer.example",
            "https://issuer.example:443",
            "https://issuer.example:0443",
            "https://issuer.example:0",
            "https://issuer.example:99999",
            "https://xn--e1afmkfd.example",
            "https://пример.example",
            "https://user@issuer.example",
            "https://issuer.example/a?b",
            "https://issuer.example/a#b",
            "https://issuer.example/a/../b",
            "https://issuer.example//a",
            "https://issuer.example/%61",
            "https://issuer.example/a b",
            "https://",
            "https://.example",
            "https://[::1]/",
            " https://issuer.example",
        ] {
            assert!(!issuer(bad), "{bad:?}");
        }
        assert!(!issuer(&format!("https://issuer.example/{}", "a".repeat(600))));
    }

    #[test]
    fn b15_subjects_are_no_patterns() {
        let subject = |s: &str| Federation::new("https://i.example", s, vec![AUDIENCE.to_owned()]).is_ok();
        assert!(subject("repo:org/lab:ref:refs/heads/main") && subject("system:serviceaccount:ns:name"));
        for bad in
            ["", " ", "*", "repo:org/*", "^repo", "repo:(a+)+$", "a\nb", " a", "a\u{7f}", &"s".repeat(601)]
        {
            assert!(!subject(bad), "{bad:?}");
        }
        for audiences in [vec![], vec![AUDIENCE.to_owned(); 2], vec![String::new()]] {
            assert!(Federation::new("https://i.example", "s", audiences).is_err());
        }
        assert!(Federation::check_name("my-lab_1").is_ok());
        for bad in ["", "ab", "-ab", "a b", "a/b", &"n".repeat(121)] {
            assert!(Federation::check_name(bad).is_err(), "{bad}");
        }
    }
}
