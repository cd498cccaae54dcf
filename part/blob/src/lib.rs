//! cs-blob
