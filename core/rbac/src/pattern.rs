//! Patterns of operation names, as role definitions write them (rbac.md 2).

/// The text is no pattern: parts (none of them dots alone) of letters, digits, `.`, `-`, `*` (after the first also `$` and `_`), joined by
/// single slashes, at most [`PATTERN_MAX_BYTES`] long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an operation name or pattern")]
pub struct BadPattern(pub String);

/// The longest operation of Azure's catalogue has under 200 characters; ours is a bound, not a document's.
pub const PATTERN_MAX_BYTES: usize = 512;

/// Matches operation names whole and without regard to case. `*` stands for any run of characters, also none and
/// also slashes; `/*/` stands for a single `/` as well (inferred from built-in roles, cases r033 to r035).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: Box<str>,
    shape: Shape,
}

/// The common shapes match by comparing bytes in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Everything,
    Exact,
    /// One star, at this byte.
    OneStar(usize),
    Stars,
}

impl Pattern {
    /// # Errors
    /// [`BadPattern`] when the text is none.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        if text.is_empty() || text.len() > PATTERN_MAX_BYTES || !text.split('/').enumerate().all(part_is_fine)
        {
            return Err(BadPattern(text.chars().take(PATTERN_MAX_BYTES).collect()));
        }
        Ok(Self { text: text.into(), shape: shape_of(text) })
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn matches(&self, operation: &str) -> bool {
        let (pattern, operation) = (self.text.as_bytes(), operation.as_bytes());
        match self.shape {
            Shape::Everything => true,
            Shape::Exact => operation.eq_ignore_ascii_case(pattern),
            Shape::OneStar(at) => one_star(&pattern[..at], &pattern[at + 1..], operation),
            Shape::Stars => stars(pattern, operation),
        }
    }
}

fn part_is_fine((index, part): (usize, &str)) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'*' | b'-');
    // Dots alone are how paths step aside; no operation is called so (D04).
    let named = part.bytes().any(|b| b != b'.');
    named && part.bytes().all(|b| plain(b) || index > 0 && matches!(b, b'$' | b'_'))
}

fn shape_of(text: &str) -> Shape {
    match (text, text.find('*'), text.rfind('*')) {
        ("*", ..) => Shape::Everything,
        (_, Some(first), Some(last)) if first == last => Shape::OneStar(first),
        (_, Some(_), _) => Shape::Stars,
        _ => Shape::Exact,
    }
}

fn one_star(before: &[u8], after: &[u8], operation: &[u8]) -> bool {
    let collapses = before.last() == Some(&b'/') && after.first() == Some(&b'/');
    let least = before.len() + after.len();
    let long_enough = operation.len() >= least || collapses && operation.len() + 1 == least;
    // In the collapsed case both halves share one slash, and the operation has exactly their joined length.
    long_enough
        && operation[..before.len()].eq_ignore_ascii_case(before)
        && operation[operation.len() - after.len()..].eq_ignore_ascii_case(after)
}

/// Follows all ways to read the pattern at once: state `i` means that `pattern[..i]` is used up. Work is bounded by
/// the product of the two lengths, whatever an author of custom roles writes.
fn stars(pattern: &[u8], operation: &[u8]) -> bool {
    let mut now = vec![false; pattern.len() + 1];
    let mut next = now.clone();
    now[0] = true;
    settle(pattern, &mut now);
    for byte in operation {
        next.fill(false);
        for at in (0..=pattern.len()).filter(|at| now[*at]) {
            if at > 0 && pattern[at - 1] == b'*' {
                next[at] = true;
            }
            if pattern.get(at).is_some_and(|p| *p != b'*' && p.eq_ignore_ascii_case(byte)) {
                next[at + 1] = true;
            }
        }
        settle(pattern, &mut next);
        std::mem::swap(&mut now, &mut next);
    }
    now[pattern.len()]
}

/// Adds the states that cost no character: a star may stand for nothing, and `/*/` for the slash just read.
fn settle(pattern: &[u8], states: &mut [bool]) {
    for at in 0..pattern.len() {
        if states[at] && pattern[at] == b'*' {
            states[at + 1] = true;
            if at > 0 && pattern[at - 1] == b'/' && pattern.get(at + 1) == Some(&b'/') {
                states[at + 2] = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, operation: &str) -> bool {
        Pattern::parse(pattern).unwrap().matches(operation)
    }

    #[test]
    fn stars_run_over_slashes_and_may_be_empty() {
        for (pattern, yes, no) in [
            ("*", "a", "\u{0}"),
            ("*/read", "Microsoft.X/y/READ", "Microsoft.X/y/reads"),
            ("Microsoft.X/*", "microsoft.x/a/b/c", "Microsoft.Xy/a"),
            ("Microsoft.X/re*", "Microsoft.X/re", "Microsoft.X/r"),
            ("Microsoft.*/s/*/read", "Microsoft.Storage/s/a/b/read", "Microsoft.Storage/t/a/read"),
            ("a/*/b/*/c", "a/b/c", "a/bb/c"),
            ("a/*/*/c", "a/c", "a/xc"),
            ("*a*", "bab", "bb"),
        ] {
            assert!(matches(pattern, yes), "{pattern} {yes}");
            assert!(pattern == "*" || !matches(pattern, no), "{pattern} {no}");
        }
    }

    #[test]
    fn star_between_slashes_may_vanish_with_one_of_them() {
        assert!(matches("K/vaults/*/read", "K/vaults/read"));
        assert!(matches("K/vaults/*/read", "K/vaults/x/read"));
        for no in ["K/vaultsread", "K/vaults", "vaults/read", "K/vaults/xread", "K/vault/read", "read", ""] {
            assert!(!matches("K/vaults/*/read", no), "{no}");
        }
    }

    #[test]
    fn look_alikes_are_other_names() {
        // U+212A KELVIN SIGN lower-cases to `k` in Unicode; operation names fold in ASCII only.
        assert!(!matches("Microsoft.KeyVault/vaults/read", "Microsoft.\u{212a}eyVault/vaults/read"));
    }

    #[test]
    fn odd_text_is_no_pattern() {
        for bad in [
            "",
            "/",
            "..",
            "*/read/../write",
            "a/./b",
            "a//b",
            "/a",
            "a/",
            "a b",
            "a?b",
            "_a",
            "a/b%2F",
            "ä",
            &"a".repeat(513),
        ] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
        for good in ["*", "Microsoft.X/a-b/$c_d/action", "*/read", "a*b"] {
            assert!(Pattern::parse(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn many_stars_stay_cheap() {
        let pattern = "a*".repeat(200);
        assert!(!matches(&pattern, &format!("{}b", "a".repeat(199))));
    }
}
