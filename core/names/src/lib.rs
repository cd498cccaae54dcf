//! cs-names
