//! cs-directory
