//! cs-jose
