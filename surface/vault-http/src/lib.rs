//! cs-vault-http
