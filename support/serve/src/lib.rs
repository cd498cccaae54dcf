//! cs-serve
