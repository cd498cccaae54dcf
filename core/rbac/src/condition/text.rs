//! Comparing text: escapes, `StringLike` patterns, case.

/// The characters that a backslash takes the meaning from. Before any other it stands for itself (unverified).
const ESCAPABLE: [char; 4] = ['\\', '\'', '*', '?'];

/// The text a quoted literal means, for all operators but the `Like` ones.
pub(super) fn unescaped(raw: &str) -> String {
    pieces(raw).map(|(_, c)| c).collect()
}

/// Characters, each with whether it was escaped.
fn pieces(raw: &str) -> impl Iterator<Item = (bool, char)> {
    let mut chars = raw.chars().peekable();
    std::iter::from_fn(move || match chars.next()? {
        '\\' => match chars.next_if(|next| ESCAPABLE.contains(next)) {
            Some(next) => Some((true, next)),
            None => Some((false, '\\')),
        },
        c => Some((false, c)),
    })
}

/// One character for comparing without case: its upper case where that is one character. Nothing outside ASCII folds
/// into ASCII, so KELVIN SIGN is no `k` and LONG S no `s`.
fn fold(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_uppercase();
    }
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) if !one.is_ascii() => one,
        _ => c,
    }
}

fn same(a: char, b: char, ignore_case: bool) -> bool {
    a == b || ignore_case && fold(a) == fold(b)
}

pub(super) fn equals(left: &str, right: &str, ignore_case: bool) -> bool {
    let (mut left, mut right) = (left.chars(), right.chars());
    loop {
        match (left.next(), right.next()) {
            (None, None) => return true,
            (Some(a), Some(b)) if same(a, b, ignore_case) => {}
            _ => return false,
        }
    }
}

pub(super) fn starts_with(text: &str, start: &str, ignore_case: bool) -> bool {
    let mut text = text.chars();
    start.chars().all(|b| text.next().is_some_and(|a| same(a, b, ignore_case)))
}

#[derive(Clone, Copy)]
enum Piece {
    One(char),
    AnyOne,
    AnyRun,
}

/// `*` any run, also of slashes; `?` one character; both literal after a backslash.
pub(super) fn like(text: &str, raw_pattern: &str, ignore_case: bool) -> bool {
    let pattern: Vec<Piece> = pieces(raw_pattern)
        .map(|piece| match piece {
            (false, '*') => Piece::AnyRun,
            (false, '?') => Piece::AnyOne,
            (_, c) => Piece::One(c),
        })
        .collect();
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut t) = (0, 0);
    // Where the last run began: on a mismatch it takes one character more.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        let fits = match pattern.get(at) {
            Some(Piece::AnyRun) => {
                retry = Some((at + 1, t));
                at += 1;
                continue;
            }
            Some(Piece::AnyOne) => true,
            Some(Piece::One(c)) => same(text[t], *c, ignore_case),
            None => false,
        };
        if fits {
            (at, t) = (at + 1, t + 1);
        } else if let Some((after, begun)) = retry {
            retry = Some((after, begun + 1));
            (at, t) = (after, begun + 1);
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|p| matches!(p, Piece::AnyRun))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_runs_and_escapes() {
        for (text, pattern, expected) in [
            ("readonly/x/y", "readonly/*", true),
            ("a", "a*", true),
            ("abc", "a?c", true),
            ("ac", "a?c", false),
            ("a*bc", r"a\*b?", true),
            ("aXXbc", r"a\*b?", false),
            ("xaaab", "*a?b", true),
            ("", "", true),
            ("", "*", true),
            ("a", "", false),
            (r"a\b", r"a\b", true),
            ("ABC", "a*c", false),
        ] {
            assert_eq!(like(text, pattern, false), expected, "{text} {pattern}");
        }
        assert!(like("ABC", "a*c", true));
    }

    #[test]
    fn case_folds_within_ascii_and_outside_but_not_across() {
        assert!(equals("Ärger", "äRGER", true));
        assert!(!equals("\u{212a}ey", "key", true));
        assert!(!equals("\u{17f}ecret", "secret", true));
        assert!(starts_with("Readonly/x", "readonly/", true));
        assert!(!starts_with("Readonly/x", "readonly/", false));
        assert!(!starts_with("re", "readonly", false));
    }

    #[test]
    fn escapes_of_literals() {
        assert_eq!(unescaped(r"it\'s \* a\b \\"), r"it's * a\b \");
    }
}
