//! cs-access
