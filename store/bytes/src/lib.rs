//! cs-bytes
