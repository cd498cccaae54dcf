//! The attested document (metadata.md 3.5): who a machine is, said over the nonce of whoever asks for it.

use cs_time::Timestamp;
use serde::Serialize;

const NONCE_MAX_CHARS: usize = 32;
/// From its making on it is good for this long, in seconds: six hours.
const LIFE_SECONDS: i64 = 6 * 3600;

/// Whether a nonce may stand in a document: up to 32 printable characters.
pub fn is_nonce(text: &str) -> bool {
    !text.is_empty() && text.len() <= NONCE_MAX_CHARS && text.bytes().all(|b| b.is_ascii_graphic())
}

/// The text that is signed; without a nonce the time stands for it.
pub fn attested_document(
    nonce: Option<&str>,
    subscription_id: &str,
    vm_id: &str,
    now: Timestamp,
) -> Result<Vec<u8>, serde_json::Error> {
    let written = |t: Timestamp| t.format("%m/%d/%y %H:%M:%S -0000");
    serde_json::to_vec(&Document {
        nonce: nonce.map_or_else(|| now.format("%Y%m%d-%H%M%S"), str::to_owned),
        plan: Plan::default(),
        sku: "",
        subscription_id,
        time_stamp: Times { created_on: written(now), expires_on: written(now.plus_seconds(LIFE_SECONDS)) },
        vm_id,
        license_type: "",
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'d> {
    nonce: String,
    plan: Plan,
    sku: &'static str,
    subscription_id: &'d str,
    time_stamp: Times,
    vm_id: &'d str,
    license_type: &'static str,
}

#[derive(Serialize, Default)]
struct Plan {
    name: &'static str,
    product: &'static str,
    publisher: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Times {
    created_on: String,
    expires_on: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_as_verifiers_read_it() {
        let text = |nonce| {
            let made = attested_document(nonce, "0a1b", "vm-1", Timestamp::from_seconds(1_800_000_000));
            String::from_utf8(made.unwrap_or_default()).unwrap_or_default()
        };
        assert_eq!(
            text(Some("1234567890")),
            r#"{"nonce":"1234567890","plan":{"name":"","product":"","publisher":""},"sku":"","subscriptionId":"0a1b","timeStamp":{"createdOn":"01/15/27 08:00:00 -0000","expiresOn":"01/15/27 14:00:00 -0000"},"vmId":"vm-1","licenseType":""}"#
        );
        assert!(text(None).starts_with(r#"{"nonce":"20270115-080000","#));
    }

    #[test]
    fn nonces() {
        assert!(is_nonce("1234567890") && is_nonce(&"x".repeat(32)));
        for bad in ["", " ", "a\nb", "é", &"x".repeat(33)] {
            assert!(!is_nonce(bad), "{bad:?}");
        }
    }
}
