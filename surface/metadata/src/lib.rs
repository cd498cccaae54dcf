//! cs-metadata
