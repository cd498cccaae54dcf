//! cs-arm
