//! cs-wire-blob
