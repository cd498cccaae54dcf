//! A directory that counts what it is asked: equal work is how equal time is tested without a clock (B31).

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cs_ids::{ClientId, ObjectId, TenantId};
use cs_store::{AuditRecord, Credential, Directory, Principal, Revision, StoreError};

pub struct Counting {
    inner: Arc<dyn Directory>,
    asked: Mutex<Vec<&'static str>>,
}

impl Counting {
    pub fn over(inner: Arc<dyn Directory>) -> Self {
        Self { inner, asked: Mutex::default() }
    }

    /// What was asked since the last time.
    pub fn taken(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn note(&self, what: &'static str) {
        self.asked.lock().unwrap().push(what);
    }
}

#[async_trait]
impl Directory for Counting {
    async fn principal(&self, t: TenantId, o: ObjectId) -> Result<Option<Principal>, StoreError> {
        self.note("principal");
        self.inner.principal(t, o).await
    }

    async fn principal_of_client(&self, t: TenantId, c: ClientId) -> Result<Option<Principal>, StoreError> {
        self.note("principal of client");
        self.inner.principal_of_client(t, c).await
    }

    async fn principals(
        &self,
        t: TenantId,
        after: Option<ObjectId>,
        limit: u32,
    ) -> Result<Vec<Principal>, StoreError> {
        self.note("principals");
        self.inner.principals(t, after, limit).await
    }

    async fn principals_since(
        &self,
        t: TenantId,
        revision: Revision,
    ) -> Result<(Vec<Principal>, Revision), StoreError> {
        self.note("principals since");
        self.inner.principals_since(t, revision).await
    }

    async fn credentials(&self, t: TenantId, c: ClientId) -> Result<Vec<Credential>, StoreError> {
        self.note("credentials");
        self.inner.credentials(t, c).await
    }

    async fn add_principal(
        &self,
        p: Principal,
        c: Vec<Credential>,
        a: AuditRecord,
    ) -> Result<(), StoreError> {
        self.note("write");
        self.inner.add_principal(p, c, a).await
    }

    async fn set_enabled(
        &self,
        t: TenantId,
        o: ObjectId,
        enabled: bool,
        a: AuditRecord,
    ) -> Result<(), StoreError> {
        self.note("write");
        self.inner.set_enabled(t, o, enabled, a).await
    }

    async fn remove_principal(&self, t: TenantId, o: ObjectId, a: AuditRecord) -> Result<bool, StoreError> {
        self.note("write");
        self.inner.remove_principal(t, o, a).await
    }

    async fn add_credential(&self, c: Credential, a: AuditRecord) -> Result<(), StoreError> {
        self.note("write");
        self.inner.add_credential(c, a).await
    }

    async fn remove_credential(
        &self,
        t: TenantId,
        c: ClientId,
        id: String,
        a: AuditRecord,
    ) -> Result<bool, StoreError> {
        self.note("write");
        self.inner.remove_credential(t, c, id, a).await
    }
}
