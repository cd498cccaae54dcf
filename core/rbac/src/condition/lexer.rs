//! Text to tokens.

use uuid::Uuid;

use super::{BadCondition, attributes::Source};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token<'a> {
    Open,
    Close,
    SetOpen,
    SetClose,
    Comma,
    Colon,
    And,
    Or,
    Not,
    /// Function, operator or boolean.
    Word(&'a str),
    /// A string between quotes, its escapes kept: what they mean depends on the operator.
    Quoted(String),
    Number(i64),
    Guid(Uuid),
    /// `@Source[name]`.
    Attribute(Source, &'a str),
}

/// Tokens with their byte positions.
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token<'_>)>, BadCondition> {
    let mut all = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        let (token, length) =
            token(&text[at..]).map_err(|expected| BadCondition::Unexpected { at, expected })?;
        all.push((at, token));
        at += length;
    }
    Ok(all)
}

type Lexed<'a> = Result<(Token<'a>, usize), &'static str>;

/// The first token of a text that starts with one, and its length in bytes.
fn token(rest: &str) -> Lexed<'_> {
    let one = |token| Ok((token, 1));
    match rest.as_bytes() {
        [b'(', ..] => one(Token::Open),
        [b')', ..] => one(Token::Close),
        [b'{', ..] => one(Token::SetOpen),
        [b'}', ..] => one(Token::SetClose),
        [b',', ..] => one(Token::Comma),
        [b':', ..] => one(Token::Colon),
        [b'!', ..] => one(Token::Not),
        [b'&', b'&', ..] => Ok((Token::And, 2)),
        [b'|', b'|', ..] => Ok((Token::Or, 2)),
        [b'@', ..] => attribute(rest),
        [b'\'', ..] => quoted(rest),
        [b, ..] if is_word(*b) => word(rest),
        _ => Err("an expression"),
    }
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')
}

fn word(rest: &str) -> Lexed<'_> {
    let length = rest.bytes().take_while(|b| is_word(*b)).count();
    let text = &rest[..length];
    let token = match text {
        _ if text.eq_ignore_ascii_case("and") => Token::And,
        _ if text.eq_ignore_ascii_case("or") => Token::Or,
        _ if text.eq_ignore_ascii_case("not") => Token::Not,
        _ => match guid(text) {
            Some(guid) => Token::Guid(guid),
            None if text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
                Token::Number(text.parse().map_err(|_| "a whole number or a GUID")?)
            }
            None => Token::Word(text),
        },
    };
    Ok((token, length))
}

/// A GUID with its hyphens or without any; the other spellings of the `uuid` crate are none here.
pub(super) fn guid(text: &str) -> Option<Uuid> {
    matches!(text.len(), 32 | 36).then(|| Uuid::try_parse(text).ok()).flatten()
}

/// `@Resource[…]`, white space allowed before the bracket.
fn attribute(rest: &str) -> Lexed<'_> {
    let after = &rest[1..];
    let source_length = after.bytes().take_while(u8::is_ascii_alphabetic).count();
    let source =
        Source::named(&after[..source_length]).ok_or("@Resource, @Request, @Principal or @Environment")?;
    let bracket = after[source_length..].trim_start();
    let inside = bracket.strip_prefix('[').ok_or("'[' and the name of an attribute")?;
    let end = inside.find(']').ok_or("']' after the name of an attribute")?;
    if inside[..end].trim().is_empty() {
        return Err("the name of an attribute");
    }
    let start = rest.len() - inside.len();
    Ok((Token::Attribute(source, &inside[..end]), start + end + 1))
}

/// `'…'`; a quote inside is doubled or escaped, and kept as escaped.
fn quoted(rest: &str) -> Lexed<'_> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => {
                let (_, escaped) = chars.next().ok_or("a closing quote")?;
                text.extend(['\\', escaped]);
            }
            '\'' if chars.next_if(|(_, next)| *next == '\'').is_some() => text.push_str("\\'"),
            '\'' => return Ok((Token::Quoted(text), at + 1)),
            _ => text.push(c),
        }
    }
    Err("a closing quote")
}
