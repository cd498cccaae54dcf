//! cs-rbac
