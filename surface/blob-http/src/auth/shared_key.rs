//! Requests signed with an account's key (blob.md 4.2): the text both sides sign, and comparing.

use std::cmp::Ordering;

use base64::{Engine, engine::general_purpose::STANDARD};
use cs_time::Timestamp;
use http::HeaderMap;

use super::{Asked, word_order};
use crate::failure::{Code, Failure};

/// A request may be this old, and this far ahead of our clock, in seconds.
const SKEW_SECONDS: i64 = 900;
/// From this version on a length of 0 is signed as nothing.
const EMPTY_LENGTH_SINCE: &str = "2015-02-21";

/// Standard headers in the order they are signed; `Content-Length` and `Date` have rules of their own.
const SIGNED: [&str; 11] = [
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
];

/// Checks `Authorization: SharedKey account:signature` (or `SharedKeyLite`); answers the key's name.
pub(crate) fn verify(asked: &Asked<'_>, scheme: &str, parameter: &str) -> Result<&'static str, Failure> {
    let lite = match scheme.to_ascii_lowercase().as_str() {
        "sharedkey" => false,
        "sharedkeylite" => true,
        _ => return Err(Code::AUTHENTICATION_FORMAT.into()),
    };
    let (name, signature) = parameter.split_once(':').ok_or(Code::AUTHENTICATION_FORMAT)?;
    if asked.account.keys.is_empty() {
        return Err(Code::KEYS_OFF.into());
    }
    if name != asked.account.id.name() {
        return Err(Failure::authentication(format!("The account '{name}' is not the one of this address.")));
    }
    in_time(asked)?;
    let mac = STANDARD.decode(signature.trim()).map_err(|_| Code::AUTHENTICATION_FORMAT)?;
    let texts = texts(asked, lite);
    for (key_name, key) in &asked.account.keys {
        if texts.iter().any(|text| key.verifies(text.as_bytes(), &mac)) {
            return Ok(key_name);
        }
    }
    let shown = texts.into_iter().next().unwrap_or_default().replace('\n', "\\n");
    Err(Failure::authentication(format!(
        "The MAC signature found in the HTTP request is not the same as any computed signature. Server used following \
         string to sign: '{shown}'."
    )))
}

/// Old requests are not replayed (F03).
fn in_time(asked: &Asked<'_>) -> Result<(), Failure> {
    let sent = value(asked.headers, "x-ms-date").or_else(|| value(asked.headers, "date"));
    let Some(sent) = sent else {
        return Err(Failure::authentication("The request has neither x-ms-date nor Date.".to_owned()));
    };
    let time = Timestamp::parse_rfc1123(&sent);
    match time.map(|t| (asked.now.seconds() - t.seconds()).abs()) {
        Some(apart) if apart <= SKEW_SECONDS => Ok(()),
        _ => Err(Failure::authentication(format!("Request date header too old: '{sent}'"))),
    }
}

/// Clients differ in how they sort headers, in whether they fold white space in them (as the document says; Python does
/// not), and in how a path is encoded when they sign it: any of these texts will do.
fn texts(asked: &Asked<'_>, lite: bool) -> Vec<String> {
    let mut texts = Vec::new();
    for order in [word_order::compare as fn(&str, &str) -> Ordering, |a, b| a.cmp(b)] {
        for fold in [folded as fn(&str) -> String, |value| value.trim().to_owned()] {
            let own = own_headers(asked.headers, order, fold);
            for path in [Some(asked.path.to_owned()), encoded_anew(asked.path)].into_iter().flatten() {
                let text = if lite { lite_text(asked, &own, &path) } else { text(asked, &own, &path) };
                if !texts.contains(&text) {
                    texts.push(text);
                }
            }
        }
    }
    texts
}

fn text(asked: &Asked<'_>, own: &str, path: &str) -> String {
    let mut text = format!("{}\n", asked.method);
    for name in SIGNED {
        text.push_str(&standard(asked.headers, name));
        text.push('\n');
    }
    text + own + &resource(asked, path)
}

fn lite_text(asked: &Asked<'_>, own: &str, path: &str) -> String {
    let mut text = format!("{}\n", asked.method);
    for name in ["content-md5", "content-type", "date"] {
        text.push_str(&standard(asked.headers, name));
        text.push('\n');
    }
    let comp = asked.query.get("comp").map(|comp| format!("?comp={comp}")).unwrap_or_default();
    format!("{text}{own}/{}{path}{comp}", asked.account.id.name())
}

fn standard(headers: &HeaderMap, name: &str) -> String {
    let found = value(headers, name).unwrap_or_default();
    let as_nothing = match name {
        "date" => headers.contains_key("x-ms-date"),
        "content-length" => {
            let old = value(headers, "x-ms-version").is_some_and(|v| v.as_str() < EMPTY_LENGTH_SINCE);
            found == "0" && !old
        }
        _ => false,
    };
    if as_nothing { String::new() } else { found }
}

/// All values of a name, as they came, joined as HTTP joins them (F01).
fn value(headers: &HeaderMap, name: &str) -> Option<String> {
    let all: Vec<_> = headers.get_all(name).iter().map(|v| String::from_utf8_lossy(v.as_bytes())).collect();
    (!all.is_empty()).then(|| all.join(","))
}

/// `name:value` of every `x-ms-` header.
fn own_headers(headers: &HeaderMap, order: fn(&str, &str) -> Ordering, fold: fn(&str) -> String) -> String {
    let mut names: Vec<&str> =
        headers.keys().map(http::HeaderName::as_str).filter(|n| n.starts_with("x-ms-")).collect();
    names.sort_by(|a, b| order(a, b));
    names.iter().map(|name| format!("{name}:{}\n", fold(&value(headers, name).unwrap_or_default()))).collect()
}

fn folded(text: &str) -> String {
    let (mut out, mut quoted, mut blank) = (String::new(), false, false);
    for c in text.trim().chars() {
        quoted ^= c == '"';
        let is_blank = c.is_whitespace() && !quoted;
        if !(is_blank && blank) {
            out.push(if is_blank { ' ' } else { c });
        }
        blank = is_blank;
    }
    out
}

/// `/account` + path + every parameter, by name, decoded; a plus stays a plus.
fn resource(asked: &Asked<'_>, path: &str) -> String {
    let mut parameters: Vec<(String, Vec<String>)> = Vec::new();
    for pair in asked.raw_query.unwrap_or_default().split('&').filter(|p| !p.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = |text: &str| cs_serve::percent_decode(text).unwrap_or_default();
        let name = decoded(name).to_lowercase();
        match parameters.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(decoded(value)),
            None => parameters.push((name, vec![decoded(value)])),
        }
    }
    parameters.sort();
    let mut text = format!("/{}{path}", asked.account.id.name());
    for (name, mut values) in parameters {
        values.sort();
        text.push_str(&format!("\n{name}:{}", values.join(",")));
    }
    text
}

/// The path as a client writes it that decodes and encodes before it signs.
fn encoded_anew(path: &str) -> Option<String> {
    const KEPT: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
        .remove(b'/')
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~')
        .remove(b'!')
        .remove(b'$')
        .remove(b'&')
        .remove(b'\'')
        .remove(b'(')
        .remove(b')')
        .remove(b'*')
        .remove(b'+')
        .remove(b',')
        .remove(b';')
        .remove(b'=')
        .remove(b':')
        .remove(b'@');
    let decoded = cs_serve::percent_decode(path)?;
    Some(percent_encoding::utf8_percent_encode(&decoded, KEPT).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f01_white_space_is_folded_outside_of_quotes_only() {
        assert_eq!(folded("  a \t b  \"c  d\"  "), "a b \"c  d\"");
        assert_eq!(folded(""), "");
    }

    #[test]
    fn paths_are_encoded_as_clients_encode_them() {
        assert_eq!(encoded_anew("/c/a%20b%2B%C3%BC.txt").as_deref(), Some("/c/a%20b+%C3%BC.txt"));
        assert_eq!(encoded_anew("/c/%zz"), None);
    }
}
