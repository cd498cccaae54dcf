//! cs-wire-sts
