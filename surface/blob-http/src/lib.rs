//! cs-blob-http
