//! Ending sessions whose reason is gone: looked at four times a second, so that one second is kept (G10).

use std::{collections::HashMap, sync::Arc, time::Duration};

use cs_access::Standing;
use cs_database::find_rule;
use cs_databases::Server;

use crate::{
    Shared,
    sessions::{Entry, Why},
};

const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Looks, for ever.
pub(crate) async fn watch(shared: &Shared) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let mut by_server: HashMap<String, Vec<Arc<Entry>>> = HashMap::new();
        for entry in shared.sessions.all() {
            by_server.entry(entry.about.label.clone()).or_default().push(entry);
        }
        for (label, sessions) in by_server {
            match shared.parts.knowledge.server(&label).await {
                Ok(server) => sessions.iter().for_each(|entry| look(shared, server.as_deref(), entry)),
                // Open sessions outlive a store that is away; new ones are not let in.
                Err(error) => tracing::warn!(%error, label, "open sessions could not be confirmed"),
            }
        }
    }
}

fn look(shared: &Shared, server: Option<&Server>, entry: &Entry) {
    let (about, control, now) = (&entry.about, &entry.control, shared.parts.clock.now());
    let Some(server) = server.filter(|s| s.tenant == about.tenant) else {
        return control.end(Why::Revoked, false);
    };
    let settings = &server.settings;
    let knowledge = &shared.parts.knowledge;
    let holds = || match knowledge.groups_of(about.tenant, about.object) {
        Ok(groups) => {
            let rule = find_rule(&server.rules, about.object, &groups, about.role.as_str());
            rule.is_ok_and(|rule| rule.object == about.rule)
                && knowledge.standing(about.tenant, about.object) != Standing::Gone
        }
        // What cannot be confirmed now ends nothing that is open.
        Err(_) => true,
    };
    if settings.end_on_revocation && !holds() {
        return control.end(Why::Revoked, false);
    }
    if settings.end_at_token_expiry && about.expires <= now {
        control.end(Why::TokenExpired, true);
    }
    let still = now.seconds() - entry.still_since(now).seconds();
    if settings.idle_seconds > 0 && still >= i64::from(settings.idle_seconds) {
        control.end(Why::Idle, true);
    }
}
