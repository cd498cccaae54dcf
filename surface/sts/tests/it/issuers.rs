//! Other issuers, as their documents.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use cs_authority::Documents;
use serde_json::{Value, json};

use crate::world::rsa;

pub const ISSUER: &str = "https://issuer.example";
/// Another, with another key.
pub const OTHER: &str = "https://other.example/realm/";

/// What each address answers, and how often it was asked.
#[derive(Default)]
pub struct Issuers {
    documents: Mutex<HashMap<String, Vec<u8>>>,
    asked: Mutex<Vec<String>>,
}

impl Issuers {
    /// [`ISSUER`] signs with `rsa(3)` as `one`, [`OTHER`] with `rsa(2)` as `two`.
    pub fn both() -> Self {
        let all = Self::default();
        all.publish(ISSUER, ISSUER, &json!([jwk("one", 3)]));
        all.publish(OTHER, OTHER, &json!([jwk("two", 2)]));
        all
    }

    /// The discovery document at `at` says it is of `says`.
    pub fn publish(&self, at: &str, says: &str, keys: &Value) {
        let base = at.trim_end_matches('/');
        let jwks = format!("{base}/keys");
        self.answer(
            &format!("{base}/.well-known/openid-configuration"),
            &json!({"issuer": says, "jwks_uri": jwks}),
        );
        self.answer(&jwks, &json!({"keys": keys}));
    }

    pub fn answer(&self, url: &str, document: &Value) {
        let mut all = self.documents.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(url.to_owned(), document.to_string().into_bytes());
    }

    /// No address answers any more.
    pub fn go_away(&self) {
        self.documents.lock().unwrap().clear();
    }

    /// Addresses asked since the last question.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

#[async_trait]
impl Documents for Issuers {
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, String> {
        self.asked.lock().unwrap().push(url.to_owned());
        self.documents.lock().unwrap().get(url).cloned().ok_or_else(|| "nobody answers".to_owned())
    }
}

pub fn jwk(kid: &str, which: usize) -> Value {
    let mut key = serde_json::to_value(rsa(which).public()).unwrap();
    key["kid"] = json!(kid);
    key["use"] = json!("sig");
    key
}
