//! cs-resources
