//! cs-vault
