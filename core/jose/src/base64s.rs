//! Base64 in the alphabets clients use.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose},
};

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_encode_padding(false);
const URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
const STD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);

/// base64url without padding.
pub fn encode_url(bytes: impl AsRef<[u8]>) -> String {
    general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// Standard base64 with padding (`x5c`).
pub fn encode_std(bytes: impl AsRef<[u8]>) -> String {
    general_purpose::STANDARD.encode(bytes)
}

/// base64url with or without padding.
pub fn decode_url(text: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    URL.decode(text).ok()
}

/// Either alphabet, with or without padding: thumbprints come in all four (sts.md 3.3).
pub fn decode_any(text: &str) -> Option<Vec<u8>> {
    URL.decode(text).or_else(|_| STD.decode(text)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_spellings_of_one_thumbprint() {
        let bytes = [0xfb, 0xff, 0xfe, 1];
        for spelling in ["-__-AQ", "-__-AQ==", "+//+AQ", "+//+AQ=="] {
            assert_eq!(decode_any(spelling).as_deref(), Some(&bytes[..]), "{spelling}");
        }
        assert_eq!(decode_any("a b"), None);
        assert_eq!(decode_url("+//+AQ"), None);
    }
}
