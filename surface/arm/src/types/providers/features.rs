//! Preview features of providers (`az feature list`): none, since nothing here is switched on by one.

use cs_serve::json;
use cs_wire_arm::List;
use http::StatusCode;

use crate::{
    call::{Answer, Call},
    doors::{Body, Type, door},
    failure::{Failure, shown},
};

const READ: &str = "Microsoft.Features/features/read";
const ALL: &str = s!("/providers/Microsoft.Features/features");
const OF_PROVIDER: &str = s!("/providers/Microsoft.Features/providers/{namespace}/features");
const ONE: &str = s!("/providers/Microsoft.Features/providers/{namespace}/features/{feature}");

pub(crate) static TYPE: Type = Type {
    name: "Microsoft.Features/features",
    about: "Preview features: there are none.",
    versions: &["2021-07-01", "2015-12-01"],
    rows: &[
        door("GET", ALL, Body::Nothing, READ, |c| Box::pin(none(c))),
        door("GET", OF_PROVIDER, Body::Nothing, READ, |c| Box::pin(none(c))),
        door("GET", ONE, Body::Nothing, READ, |c| Box::pin(unknown(c))),
    ],
};

async fn none(_: &Call) -> Answer {
    Ok(json(StatusCode::OK, &List::from(Vec::<()>::new())))
}

async fn unknown(call: &Call) -> Answer {
    let (feature, namespace) = (call.params.get("feature"), call.params.get("namespace"));
    let message = format!("The feature '{}' could not be found in '{}'.", shown(feature), shown(namespace));
    Err(Failure::new(StatusCode::NOT_FOUND, "FeatureNotFound", message))
}
