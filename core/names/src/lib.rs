//! Host names of a site or cloud, and the addresses answers are written with.
//!
//! One listener serves many surfaces, told apart by `Host`. [`SiteNames::route`] says which surface a host belongs
//! to; [`Address`] writes URLs with the suffix and port the caller used, so that a site behind another port or a
//! tunnel still hands out addresses that work.
//!
//! | surface | own suffix `S` | `--cloud azure` |
//! | --- | --- | --- |
//! | token service | `login.S` | `login.microsoftonline.com` and its known aliases |
//! | resource manager | `management.S` | `management.azure.com` |
//! | directory | `graph.S` | `graph.microsoft.com` |
//! | console | `console.S` | `portal.azure.com` |
//! | vault | `{vault}.vault.S` | `{vault}.vault.azure.net` |
//! | blobs | `{account}.blob.core.S` | `{account}.blob.core.windows.net` |
//! | databases | `{server}.postgres.S` | `{server}.postgres.database.azure.com` |

mod address;
mod site;

pub use address::Address;
pub use site::{BadSuffix, SiteNames, Surface};
