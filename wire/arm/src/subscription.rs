//! Subscriptions, tenants, locations (arm.md 4.2).

use serde::Serialize;

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionReply {
    pub id: String,
    pub authorization_source: &'static str,
    /// Must be a list: az reads it.
    pub managed_by_tenants: [(); 0],
    pub subscription_id: String,
    pub tenant_id: String,
    pub display_name: String,
    pub state: &'static str,
    pub subscription_policies: SubscriptionPolicies,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionPolicies {
    pub location_placement_id: &'static str,
    pub quota_id: &'static str,
    pub spending_limit: &'static str,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantReply {
    pub id: String,
    pub tenant_id: String,
    pub display_name: String,
    pub default_domain: String,
    pub domains: Vec<String>,
    pub country_code: &'static str,
    pub tenant_category: &'static str,
    pub tenant_type: &'static str,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Location {
    pub id: String,
    pub name: &'static str,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub display_name: &'static str,
    pub regional_display_name: &'static str,
    pub metadata: LocationMetadata,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LocationMetadata {
    pub region_type: &'static str,
    pub region_category: &'static str,
    pub geography_group: &'static str,
    /// Degrees as decimal strings.
    pub longitude: &'static str,
    pub latitude: &'static str,
    pub physical_location: &'static str,
    pub paired_region: [(); 0],
}
