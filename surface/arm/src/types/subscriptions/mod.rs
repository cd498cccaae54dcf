//! Subscriptions, tenants, locations (arm.md 4.2).

use cs_ids::ResourceId;
use cs_resources::Subscription;
use cs_serve::json;
use cs_wire_arm::{
    Count, List, Location, LocationMetadata, SubscriptionPolicies, SubscriptionReply, TenantReply,
};
use http::StatusCode;

use crate::{
    call::{Answer, Call},
    doors::{Body, Type, door, open_door},
};

const READ: &str = "Microsoft.Resources/subscriptions/read";

const VERSIONS: &[&str] = &["2022-12-01", "2021-01-01", "2020-01-01"];
const LOCATIONS: &str = "Microsoft.Resources/subscriptions/locations/read";
const LISTED: &str = "shows those the caller holds a role in";

pub(crate) static TYPE: Type = Type {
    name: "Microsoft.Resources/subscriptions",
    about: "Subscriptions and the locations of each.",
    versions: VERSIONS,
    rows: &[
        open_door("GET", "/subscriptions", Body::Nothing, LISTED, |c| Box::pin(list(c))),
        open_door("GET", s!(""), Body::Nothing, "shown to who holds a role in it", |c| Box::pin(show(c))),
        door("GET", s!("/locations"), Body::Nothing, LOCATIONS, |c| Box::pin(locations(c))),
    ],
};

pub(crate) static TENANTS: Type = Type {
    name: "Microsoft.Resources/tenants",
    about: "The tenant of the caller.",
    versions: VERSIONS,
    rows: &[open_door("GET", "/tenants", Body::Nothing, "shows the caller's own", |c| Box::pin(tenants(c)))],
};

async fn list(call: &Call) -> Answer {
    let mut seen = Vec::new();
    for subscription in call.manager().subscriptions(&call.op).await? {
        if call.is_visible(ResourceId::of_subscription(subscription.id).scope())? {
            seen.push(reply(&subscription));
        }
    }
    let count = Count::total(i64::try_from(seen.len()).unwrap_or(i64::MAX));
    Ok(json(StatusCode::OK, &List { count: Some(count), ..List::from(seen) }))
}

async fn show(call: &Call) -> Answer {
    if !call.is_visible(&call.scope)? {
        call.demand(READ, &call.scope).await?;
    }
    let subscription = call.manager().subscription(&call.op, call.subscription()?).await?;
    Ok(json(StatusCode::OK, &reply(&subscription)))
}

fn reply(s: &Subscription) -> SubscriptionReply {
    SubscriptionReply {
        id: format!("/subscriptions/{}", s.id),
        authorization_source: "RoleBased",
        managed_by_tenants: [],
        subscription_id: s.id.to_string(),
        tenant_id: s.tenant.to_string(),
        display_name: s.display_name.clone(),
        state: "Enabled",
        subscription_policies: SubscriptionPolicies {
            location_placement_id: "Public_2014-09-01",
            quota_id: "PayAsYouGo_2014-09-01",
            spending_limit: "Off",
        },
    }
}

async fn tenants(call: &Call) -> Answer {
    let tenant = call.op.caller.tenant;
    let known = call.manager().tenant(&call.op).await?;
    let (display_name, domain) = known.map(|t| (t.display_name, t.domain)).unwrap_or_default();
    let own = TenantReply {
        id: format!("/tenants/{tenant}"),
        tenant_id: tenant.to_string(),
        display_name,
        domains: vec![domain.clone()],
        default_domain: domain,
        country_code: "",
        tenant_category: "Home",
        tenant_type: "AAD",
    };
    Ok(json(StatusCode::OK, &List::from(vec![own])))
}

/// Our one place, and the names people type by habit. Name, display name, geography, longitude, latitude.
const PLACES: &[(&str, &str, &str, &str, &str)] = &[
    ("local", "Local", "Local", "0", "0"),
    ("westeurope", "West Europe", "Europe", "4.9", "52.3667"),
    ("northeurope", "North Europe", "Europe", "-6.2597", "53.3478"),
    ("germanywestcentral", "Germany West Central", "Germany", "8.682127", "50.110924"),
    ("francecentral", "France Central", "France", "2.373", "46.3772"),
    ("uksouth", "UK South", "UK", "-0.799", "50.941"),
    ("swedencentral", "Sweden Central", "Sweden", "17.14127", "60.67488"),
    ("eastus", "East US", "US", "-79.8164", "37.3719"),
    ("eastus2", "East US 2", "US", "-78.3889", "36.6681"),
    ("centralus", "Central US", "US", "-93.6208", "41.5908"),
    ("westus2", "West US 2", "US", "-119.852", "47.233"),
    ("southeastasia", "Southeast Asia", "Asia Pacific", "103.833", "1.283"),
    ("japaneast", "Japan East", "Japan", "139.77", "35.68"),
    ("australiaeast", "Australia East", "Australia", "151.2094", "-33.86"),
];

/// Names of all places.
pub(crate) fn place_names() -> Vec<&'static str> {
    PLACES.iter().map(|p| p.1).collect()
}

async fn locations(call: &Call) -> Answer {
    let subscription = call.subscription()?;
    let all = PLACES.iter().map(|(name, display, geography, longitude, latitude)| Location {
        id: format!("/subscriptions/{subscription}/locations/{name}"),
        name,
        kind: "Region",
        display_name: display,
        regional_display_name: display,
        metadata: LocationMetadata {
            region_type: "Physical",
            region_category: "Recommended",
            geography_group: geography,
            longitude,
            latitude,
            physical_location: display,
            paired_region: [],
        },
    });
    Ok(json(StatusCode::OK, &List::from(all.collect::<Vec<_>>())))
}
