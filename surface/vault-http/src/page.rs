//! Paging: `maxresults` and an opaque token that survives being decoded and encoded again.

use cs_serve::Query;

use crate::{Call, Failure};

/// Items of a page, unless fewer are asked for (keyvault.md 3, Paging).
const PAGE: u32 = 25;

pub(crate) struct Asked {
    pub size: u32,
    /// The key the page begins after.
    pub after: String,
}

impl Asked {
    pub(crate) fn read(query: &Query) -> Result<Self, Failure> {
        let size = match query.get("maxresults") {
            None | Some("") => PAGE,
            Some(text) => text.parse().ok().filter(|n| (1..=PAGE).contains(n)).ok_or_else(|| {
                Failure::bad(format!("The maxresults parameter must be a number from 1 to {PAGE}."))
            })?,
        };
        let after = match query.get("$skiptoken") {
            None => String::new(),
            Some(token) => {
                open(token).ok_or_else(|| Failure::bad("The $skiptoken parameter cannot be read."))?
            }
        };
        Ok(Self { size, after })
    }

    /// Cuts a page from one item more than it holds, and says where the next begins.
    pub(crate) fn cut<T>(&self, mut items: Vec<T>, key: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
        if items.len() <= self.size as usize {
            return (items, None);
        }
        items.truncate(self.size as usize);
        let next = items.last().map(key);
        (items, next)
    }
}

/// The address of the next page, with the names the client used.
pub(crate) fn link(call: &Call<'_>, path: &str, size: u32, after: Option<String>) -> Option<String> {
    let version = call.query.get("api-version").unwrap_or_default();
    after.map(|key| {
        format!("{}{path}?api-version={version}&$skiptoken={}&maxresults={size}", call.base, close(&key))
    })
}

/// Hexadecimal: nothing in it needs encoding.
fn close(key: &str) -> String {
    key.bytes().map(|b| format!("{b:02x}")).collect()
}

fn open(token: &str) -> Option<String> {
    if token.len() > 512 || !token.len().is_multiple_of(2) || !token.is_ascii() {
        return None;
    }
    let bytes =
        token.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    String::from_utf8(bytes.collect::<Option<Vec<u8>>>()?).ok().filter(|key| !key.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back() {
        assert_eq!(open(&close("my-secret")).as_deref(), Some("my-secret"));
        for bad in ["x", "zz", "ff"] {
            assert_eq!(open(bad), None, "{bad}");
        }
    }
}
