//! cs-sts
