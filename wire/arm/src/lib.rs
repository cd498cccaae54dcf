//! cs-wire-arm
