//! cs-wire-metadata
