//! The order in which the service, and with it Python and Node, sort header names: hyphens and apostrophes count for
//! nothing until all else is equal (blob.md 4.2).

use std::cmp::Ordering;

/// Characters of header names in their order; what is not here counts for nothing at first.
const ORDER: &[u8] = b"!#$%&*.^_`|~+0123456789abcdefghijklmnopqrstuvwxyz";
/// The end of a name: before every character.
const END: u32 = 1;

fn first_weight(name: &[u8], at: usize) -> u32 {
    let Some(c) = name.get(at) else { return END };
    let place = ORDER.iter().position(|o| *o == c.to_ascii_lowercase());
    place.and_then(|p| u32::try_from(p + 2).ok()).unwrap_or(0)
}

fn last_weight(name: &[u8], at: usize) -> u32 {
    match name.get(at) {
        None => END,
        Some(b'\'') => 2,
        Some(b'-') => 3,
        Some(_) => 0,
    }
}

/// Compares two names as the clients' own code does, step by step: what it makes of odd names is the rule.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    level(a, b, first_weight, false)
        .unwrap_or_else(|| level(a, b, last_weight, true).unwrap_or(Ordering::Equal))
}

/// `None` when both end alike on this level.
fn level(a: &[u8], b: &[u8], weight: fn(&[u8], usize) -> u32, last: bool) -> Option<Ordering> {
    let (mut i, mut j) = (0, 0);
    loop {
        if last && i != j {
            // On the last level the name that still has its hyphen comes first.
            return Some(j.cmp(&i));
        }
        match (weight(a, i), weight(b, j)) {
            (END, END) => return None,
            (x, y) if x == y => (i, j) = (i + 1, j + 1),
            (0, _) => i += 1,
            (_, 0) => j += 1,
            (x, y) => return Some(x.cmp(&y)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Orders computed with the client library's own function.
    #[test]
    fn hyphens_count_last() {
        let mut names = [
            "x-ms-meta-ab",
            "x-ms-meta-a-b",
            "x-ms-date",
            "x-ms-meta-a_b",
            "x-ms-meta-a1",
            "x-ms-meta-a",
            "x-ms-version",
        ];
        names.sort_by(|a, b| compare(a, b));
        assert_eq!(
            names,
            [
                "x-ms-date",
                "x-ms-meta-a",
                "x-ms-meta-a_b",
                "x-ms-meta-a1",
                "x-ms-meta-ab",
                "x-ms-meta-a-b",
                "x-ms-version"
            ]
        );
    }
}
