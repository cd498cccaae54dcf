//! cs-broker
