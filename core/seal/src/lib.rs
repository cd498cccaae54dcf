//! cs-seal
