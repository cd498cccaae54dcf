//! cs-pki
