//! Short spellings for the other tests.

use cs_ids::{ObjectId, Scope};
use cs_rbac::{Assignment, AssignmentId, RoleId, builtin_role_named};
use uuid::Uuid;

pub const SUB: &str = "/subscriptions/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";

pub fn object(number: u128) -> ObjectId {
    ObjectId::new(Uuid::from_u128(number))
}

pub fn named(number: u128) -> AssignmentId {
    AssignmentId::new(Uuid::from_u128(number))
}

pub fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

pub fn role(name: &str) -> RoleId {
    builtin_role_named(name).unwrap().id
}

pub fn assignment(number: u128, principal: ObjectId, role_name: &str, at: &str) -> Assignment {
    Assignment { id: named(number), principal, role: role(role_name), scope: scope(at), condition: None }
}
