//! The parts of a site, put together: plain code, read from top to bottom.

use std::sync::Arc;

use cs_access::Access;
use cs_arm::{Arm, Parts};
use cs_audit::Audit;
use cs_authority::{Authority, AuthorityParts};
use cs_blob::{BlobParts, Blobs, DEVELOPMENT_ACCOUNT};
use cs_blob_http::{BlobHttp, Development};
use cs_bytes::BlobBytes;
use cs_directory::{DirectoryParts, Principals};
use cs_graph::Graph;
use cs_ids::{ResourceId, SubscriptionId, TenantId};
use cs_names::SiteNames;
use cs_rbac::{Allowed, Caller, Operation};
use cs_resources::{Input, Manager};
use cs_seal::Key;
use cs_serve::{Dates, HostRouter, Router};
use cs_store::{HostKind, Resources as _, Site as _};
use cs_store_sql::SqlStore;
use cs_sts::Sts;
use cs_time::{Chance, Clock};
use cs_vault::{VaultParts, Vaults};
use cs_vault_http::VaultHttp;
use tokio::task::JoinHandle;

use super::{
    databases::ForGateways,
    joints::{Fetched, Live, NoConsole, Queued, Wrapping},
    keys,
    notary::SiteNotary,
    seed,
};
use crate::failure::{Attempt, Failure};

/// What a site stands on.
pub struct Ground {
    pub store: Arc<SqlStore>,
    pub bytes: Arc<dyn BlobBytes>,
    pub root: Key,
    pub clock: Arc<dyn Clock>,
    pub chance: Arc<dyn Chance>,
    /// Whether the emulator's storage account is served.
    pub development: bool,
}

/// The parts of a running site.
pub struct Site {
    pub store: Arc<SqlStore>,
    pub authority: Arc<Authority>,
    pub access: Arc<Access>,
    pub clock: Arc<dyn Clock>,
    pub chance: Arc<dyn Chance>,
    pub(super) wrapping: Arc<Wrapping>,
    pub(super) gateways: Arc<ForGateways>,
    pub(super) notary: Arc<SiteNotary>,
    audit: Arc<Audit>,
    vaults: Arc<Vaults>,
    blobs: Arc<Blobs>,
    manager: Arc<Manager>,
    principals: Arc<Principals>,
}

/// How often other replicas' signing keys are looked for: an emergency revocation is seen within a second (B33).
const RELOAD_EVERY: std::time::Duration = std::time::Duration::from_millis(500);
/// How often deleted secrets whose time is up are removed, and blobs nobody refers to are swept.
const HOUSEKEEPING_EVERY: std::time::Duration = std::time::Duration::from_secs(300);

/// Builds the parts and starts their background work.
pub async fn site(ground: Ground) -> Result<(Site, Vec<JoinHandle<()>>), Failure> {
    let Ground { store, bytes, root, clock, chance, development } = ground;
    let tenants = store.tenants().await.attempt("reading the tenants")?;
    let tenant_keys = keys::of_tenants(&root, &tenants)?;
    drop(root);
    let access = Access::new(Arc::clone(&store) as _, Arc::clone(&store) as _, Arc::clone(&clock))
        .with_groups(Arc::clone(&store) as _)
        .with_rules(Arc::clone(&store) as _)
        .with_subscriptions(Arc::clone(&store) as _);
    let access = Arc::new(access);
    for tenant in &tenants {
        access.refresh(tenant.id).await.attempt("loading role assignments")?;
    }
    let audit = Arc::new(Audit::new(Arc::clone(&store) as _));
    let authority = Authority::open(AuthorityParts {
        site: Arc::clone(&store) as _,
        directory: Arc::clone(&store) as _,
        federated: Arc::clone(&store) as _,
        resources: Arc::clone(&store) as _,
        machine_keys: Arc::clone(&store) as _,
        documents: Arc::new(Fetched::new()?),
        live: Arc::new(Live(Arc::clone(&access))),
        sign_ins: Arc::new(Queued(Arc::clone(&audit))),
        tenant_keys: tenant_keys.clone(),
        clock: Arc::clone(&clock),
        chance: Arc::clone(&chance),
    });
    let authority = Arc::new(authority.await.attempt("opening the token authority")?);
    let vaults = Arc::new(Vaults::new(VaultParts {
        resources: Arc::clone(&store) as _,
        secrets: Arc::clone(&store) as _,
        audit: Arc::clone(&store) as _,
        tenant_keys: tenant_keys.clone(),
        clock: Arc::clone(&clock),
        chance: Arc::clone(&chance),
    }));
    let blobs = Arc::new(Blobs::new(BlobParts {
        resources: Arc::clone(&store) as _,
        blobs: Arc::clone(&store) as _,
        bytes,
        tenant_keys: tenant_keys.clone(),
        development,
        clock: Arc::clone(&clock),
        chance: Arc::clone(&chance),
    }));
    let wrapping = Arc::new(Wrapping { tenant_keys, chance: Arc::clone(&chance) });
    let manager = Arc::new(Manager::new(cs_resources::Ground {
        site: Arc::clone(&store) as _,
        resources: Arc::clone(&store) as _,
        assignments: Arc::clone(&store) as _,
        federated: Arc::clone(&store) as _,
        joining: Arc::clone(&store) as _,
        machine_keys: Arc::clone(&store) as _,
        rules: Arc::clone(&store) as _,
        locks: Arc::clone(&store) as _,
        log: Arc::clone(&store) as _,
        directory: Arc::clone(&store) as _,
        keys: Arc::clone(&wrapping) as _,
        clock: Arc::clone(&clock),
        chance: Arc::clone(&chance),
    }));
    let principals = Arc::new(Principals::new(DirectoryParts {
        rows: Arc::clone(&store) as _,
        objects: Arc::clone(&store) as _,
        federated: Arc::clone(&store) as _,
        chance: Arc::clone(&chance),
    }));
    let site = Site {
        gateways: Arc::new(ForGateways::new(Arc::clone(&authority))),
        notary: Arc::default(),
        store,
        authority,
        access,
        clock,
        chance,
        wrapping,
        audit,
        vaults,
        blobs,
        manager,
        principals,
    };
    let background = site.background();
    Ok((site, background))
}

impl Site {
    /// The surfaces behind one set of names.
    pub fn router(&self, names: &SiteNames) -> Arc<dyn Router> {
        let tokens = || Arc::clone(&self.authority) as Arc<dyn cs_authority::TokenCheck>;
        let clock = || Arc::clone(&self.clock);
        Arc::new(HostRouter {
            names: names.clone(),
            clock: clock(),
            chance: Arc::clone(&self.chance),
            dates: Dates::default(),
            login: Arc::new(
                Sts::new(Arc::clone(&self.authority), clock()).with_notary(Arc::clone(&self.notary) as _),
            ),
            management: Arc::new(Arm::new(Parts {
                manager: Arc::clone(&self.manager),
                blobs: Arc::clone(&self.blobs),
                vaults: Arc::clone(&self.vaults),
                databases: self.databases(),
                chance: Arc::clone(&self.chance),
                gateways: Arc::clone(&self.gateways) as _,
                access: Arc::clone(&self.access),
                audit: Arc::clone(&self.audit),
                tokens: tokens(),
            })),
            graph: Arc::new(Graph::new(cs_graph::Parts {
                principals: Arc::clone(&self.principals),
                access: Arc::clone(&self.access),
                audit: Arc::clone(&self.audit),
                tokens: tokens(),
                clock: clock(),
            })),
            console: Arc::new(NoConsole),
            vault: Arc::new(VaultHttp::new(
                Arc::clone(&self.vaults),
                Arc::clone(&self.access),
                tokens(),
                clock(),
            )),
            blob: Arc::new(BlobHttp::new(
                Arc::clone(&self.blobs),
                Arc::clone(&self.access),
                tokens(),
                clock(),
            )),
        })
    }

    /// The storage emulator's address.
    pub fn development(&self, names: &SiteNames) -> Arc<dyn Router> {
        let tokens = Arc::clone(&self.authority) as Arc<dyn cs_authority::TokenCheck>;
        let blobs =
            BlobHttp::new(Arc::clone(&self.blobs), Arc::clone(&self.access), tokens, Arc::clone(&self.clock));
        Arc::new(Development {
            blobs: Arc::new(blobs),
            names: names.clone(),
            clock: Arc::clone(&self.clock),
            chance: Arc::clone(&self.chance),
        })
    }

    /// Makes the storage emulator's account where it is not there yet.
    pub async fn make_development_account(
        &self,
        tenant: TenantId,
        subscription: SubscriptionId,
    ) -> Result<(), Failure> {
        const ATTEMPT: &str = "making the account of development storage";
        if self
            .store
            .host_owner(HostKind::Account, DEVELOPMENT_ACCOUNT.to_owned())
            .await
            .attempt(ATTEMPT)?
            .is_some()
        {
            return Ok(());
        }
        let id = ResourceId::of_resource(
            subscription,
            seed::GROUP,
            "Microsoft.Storage",
            "storageAccounts",
            DEVELOPMENT_ACCOUNT,
        );
        let op = Operation::new(Caller::unnamed(tenant), self.chance.uuid().into(), self.clock.now());
        let allowed = Allowed::by_the_site("development storage", id.scope().clone());
        let new = Input { location: Some(seed::LOCATION.to_owned()), ..Input::default() };
        self.manager.put_account(&op, &allowed, &id, new).await.attempt(ATTEMPT).map(drop)
    }

    /// For commands that do the site's own work.
    pub fn manager(&self) -> &Manager {
        &self.manager
    }

    pub(super) fn audit(&self) -> Arc<Audit> {
        Arc::clone(&self.audit)
    }

    fn background(&self) -> Vec<JoinHandle<()>> {
        let (access, audit, authority) =
            (Arc::clone(&self.access), Arc::clone(&self.audit), Arc::clone(&self.authority));
        let (vaults, blobs) = (Arc::clone(&self.vaults), Arc::clone(&self.blobs));
        vec![
            tokio::spawn(async move { access.watch().await }),
            tokio::spawn(async move { audit.run().await }),
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(RELOAD_EVERY).await;
                    if let Err(error) = authority.reload().await {
                        tracing::warn!(%error, "signing keys could not be read");
                    }
                }
            }),
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(HOUSEKEEPING_EVERY).await;
                    if let Err(error) = vaults.purge_due().await {
                        tracing::warn!(%error, "deleted secrets could not be purged");
                    }
                    if let Err(error) = blobs.sweep().await {
                        tracing::warn!(%error, "blobs nobody refers to could not be swept");
                    }
                }
            }),
        ]
    }

    /// Writes what waits to be written.
    pub async fn flush(&self) {
        if let Err(error) = self.audit.flush().await {
            tracing::error!(%error, "the last audit records could not be written");
        }
    }
}
