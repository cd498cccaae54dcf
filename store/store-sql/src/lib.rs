//! cs-store-sql
