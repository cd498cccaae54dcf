//! One request of the lab, and how a person would type it.

use reqwest::Method;
use serde_json::Value;

/// A request. Secrets in it are sent, but shown as the shell variable a script would hold them in.
pub struct Call {
    pub method: Method,
    pub url: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// Text of headers and body that is shown as a variable.
    hidden: Vec<(String, &'static str)>,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Vec<u8>,
    hidden: Vec<(String, &'static str)>,
}

/// Bodies are shown up to this many characters.
const SHOWN_CHARS: usize = 300;

impl Call {
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self { method, url: url.into(), headers: Vec::new(), body: Vec::new(), hidden: Vec::new() }
    }

    pub fn get(url: impl Into<String>) -> Self {
        Self::new(Method::GET, url)
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn bearer(self, token: &str, shown: &'static str) -> Self {
        self.header("Authorization", format!("Bearer {token}")).hide(token, shown)
    }

    pub fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string().into_bytes();
        self.header("Content-Type", "application/json")
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Shows a text as a variable, in the request and in its answer.
    pub fn hide(mut self, text: &str, shown: &'static str) -> Self {
        if !text.is_empty() {
            self.hidden.push((text.to_owned(), shown));
        }
        self
    }

    pub fn as_typed(&self) -> String {
        let mut typed = "curl -s".to_owned();
        if self.method != Method::GET {
            typed.push_str(&format!(" -X {}", self.method));
        }
        for (name, value) in &self.headers {
            typed.push_str(&format!(" -H \"{name}: {value}\""));
        }
        if !self.body.is_empty() {
            typed.push_str(&format!(" --data-binary '{}'", String::from_utf8_lossy(&self.body).trim_end()));
        }
        typed.push_str(&format!(" \"{}\"", self.url));
        cover(typed, &self.hidden)
    }

    pub fn answered(self, status: u16, headers: reqwest::header::HeaderMap, body: Vec<u8>) -> Answer {
        Answer { status, headers, body, hidden: self.hidden }
    }
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Status and body, short, without tokens.
    pub fn told(&self) -> String {
        let mut json = self.json();
        if let Some(token) = json.get_mut("access_token") {
            *token = Value::from("…");
        }
        let text = if json.is_null() { self.text() } else { json.to_string() };
        let mut text = cover(cs_telemetry::one_line(text.trim()), &self.hidden);
        if text.chars().count() > SHOWN_CHARS {
            text = text.chars().take(SHOWN_CHARS).chain("…".chars()).collect();
        }
        format!("{} {text}", self.status).trim_end().to_owned()
    }
}

fn cover(mut text: String, hidden: &[(String, &'static str)]) -> String {
    for (secret, shown) in hidden {
        text = text.replace(secret, shown);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_shown_as_variables() {
        let call = Call::get("https://x/").bearer("eyJ.secret.sig", "$TOKEN");
        assert_eq!(call.as_typed(), "curl -s -H \"Authorization: Bearer $TOKEN\" \"https://x/\"");
        let answer = call.answered(
            200,
            reqwest::header::HeaderMap::new(),
            br#"{"access_token":"eyJ.other"}"#.to_vec(),
        );
        assert_eq!(answer.told(), r#"200 {"access_token":"…"}"#);
    }
}
