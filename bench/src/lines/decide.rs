//! A decision in a tenant with a million assignments.

use std::time::Instant;

use anyhow::Result;
use cs_ids::{ObjectId, Scope};
use cs_rbac::{Ask, Assignment, AssignmentId, RoleId, Snapshot, Subject, builtin_roles, decide};
use uuid::Uuid;

use crate::line::{Aim, Figure, Line, Outcome, median};

pub struct Decide;

const ASSIGNMENTS: u64 = 1_000_000;
const PRINCIPALS: u64 = 100_000;
/// The groups a caller is in.
const GROUPS: u64 = 5;
const ASKED: usize = 200_000;
const ACTION: &str = "Microsoft.KeyVault/vaults/secrets/getSecret/action";

impl Line for Decide {
    fn name(&self) -> &'static str {
        "decide"
    }

    fn about(&self) -> &'static str {
        "one decision among 1,000,000 assignments, caller in 5 groups: the median"
    }

    fn measure(&self) -> Result<Outcome> {
        let mut draw = Draw(20);
        let all = tenant(&mut draw)?;
        let asks = (0..ASKED).map(|_| ask(&mut draw)).collect::<Result<Vec<_>>>()?;
        let took = asks.iter().map(|(who, scope)| one(&all, who, scope)).collect();
        Ok(Outcome::Measured(Figure::alone(median(took), "ns", Aim::AtMost(1000.0))))
    }
}

/// Nanoseconds. The question is copied first: whoever asks has just read it from a request, so it is in the processor's
/// cache; the tenant is not.
fn one(all: &Snapshot, who: &Subject, scope: &Scope) -> f64 {
    let (who, scope) = std::hint::black_box((who.clone(), scope.clone()));
    let started = Instant::now();
    let decision = decide(all, &who, &Ask::data_action(ACTION, &scope));
    let took = started.elapsed();
    drop(std::hint::black_box(decision));
    took.as_secs_f64() * 1e9
}

fn tenant(draw: &mut Draw) -> Result<Snapshot> {
    let roles: Vec<RoleId> = builtin_roles().map(|role| role.id).collect();
    let mut all = Snapshot::new();
    for number in 0..ASSIGNMENTS {
        let role = roles[draw.below(roles.len() as u64) as usize];
        let id = AssignmentId::new(Uuid::from_u128(u128::from(number) + 1));
        let principal = principal(draw);
        all.insert_assignment(Assignment { id, principal, role, scope: place(draw)?, condition: None });
    }
    Ok(all)
}

fn ask(draw: &mut Draw) -> Result<(Subject, Scope)> {
    let who = principal(draw);
    let groups = (0..GROUPS).map(|_| principal(draw)).collect();
    Ok((Subject::new(who, groups), place(draw)?))
}

fn principal(draw: &mut Draw) -> ObjectId {
    ObjectId::new(Uuid::from_u128(u128::from(draw.below(PRINCIPALS)) + 1))
}

/// A subscription, a group of it, or a vault in that.
fn place(draw: &mut Draw) -> Result<Scope> {
    let mut text = format!("/subscriptions/00000000-0000-0000-0000-{:012}", draw.below(100));
    let depth = draw.below(8);
    if depth > 0 {
        text += &format!("/resourceGroups/group-{}", draw.below(50));
    }
    if depth > 2 {
        text += &format!("/providers/Microsoft.KeyVault/vaults/vault{}", draw.below(50));
    }
    Ok(Scope::parse(&text)?)
}

/// Numbers that look random and are the same in every run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}
