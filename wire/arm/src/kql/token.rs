//! Words, signs and literals of a query.

use super::BadQuery;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Word(String),
    Text(String),
    Number(f64),
    Sign(&'static str),
}

/// Longer ones first.
const SIGNS: &[&str] =
    &["==", "=~", "!=", "!~", "<=", ">=", "in~", "|", "(", ")", "[", "]", ",", "=", "<", ">", "!", "."];

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, BadQuery> {
    let mut all = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if let Some(comment) = rest.strip_prefix("//") {
            rest = comment.split_once('\n').map_or("", |(_, after)| after);
        } else if first == '\'' || first == '"' {
            let (literal, after) = quoted(&rest[1..], first)?;
            all.push(Token::Text(literal));
            rest = after;
        } else if first.is_ascii_digit() {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let number =
                rest[..end].parse().map_err(|_| BadQuery(format!("'{}' is no number", &rest[..end])))?;
            all.push(Token::Number(number));
            rest = &rest[end..];
        } else if let Some(sign) = SIGNS.iter().find(|s| rest.starts_with(**s)) {
            all.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else if first.is_ascii_alphabetic() || first == '_' || first == '$' {
            let fits = |c: char| c.is_ascii_alphanumeric() || "_$".contains(c);
            let mut end = rest.find(|c| !fits(c)).unwrap_or(rest.len());
            // The one word with a dash in it.
            if rest[..end].eq_ignore_ascii_case("project") && rest[end..].starts_with("-away") {
                end += "-away".len();
            }
            all.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        } else {
            return Err(BadQuery(format!("the character {first:?} means nothing here")));
        }
        rest = rest.trim_start();
    }
    Ok(all)
}

/// A literal up to its quote, and what follows. A backslash takes the next character as it is.
fn quoted(text: &str, quote: char) -> Result<(String, &str), BadQuery> {
    let mut literal = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => literal.extend(chars.next().map(|(_, c)| c)),
            c if c == quote => return Ok((literal, &text[at + c.len_utf8()..])),
            c => literal.push(c),
        }
    }
    Err(BadQuery("a quote is not closed".to_owned()))
}
