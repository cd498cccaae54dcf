//! cs-wire-vault
