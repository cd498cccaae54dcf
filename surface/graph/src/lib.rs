//! cs-graph
