//! cs-telemetry
