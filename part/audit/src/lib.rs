//! cs-audit
