//! cs-authority
