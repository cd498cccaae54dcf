-- The tenant leads every primary key, so that a sharded PostgreSQL can place rows by tenant (design.md, State).
-- Times are microseconds since 1970, flags 0 or 1, UUIDs lower-case text; "…_key" columns are folded for comparison.

CREATE TABLE tenants (
  tenant TEXT NOT NULL PRIMARY KEY,
  display_name TEXT NOT NULL,
  domain TEXT NOT NULL UNIQUE,
  wrapped_key {bytes} NOT NULL,
  created BIGINT NOT NULL
);

CREATE TABLE settings (
  name TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
);

-- A counter row, raised in the changing transaction: a sequence would show 11 before 10 commits.
CREATE TABLE revisions (
  tenant TEXT NOT NULL PRIMARY KEY,
  value BIGINT NOT NULL
);

CREATE TABLE signing_keys (
  tenant TEXT NOT NULL,
  kid TEXT NOT NULL,
  sealed_key {bytes} NOT NULL,
  certificate {bytes} NOT NULL,
  signs_from BIGINT NOT NULL,
  retired BIGINT,
  created BIGINT NOT NULL,
  PRIMARY KEY (tenant, kid)
);

CREATE TABLE principals (
  tenant TEXT NOT NULL,
  object TEXT NOT NULL,
  kind TEXT NOT NULL,
  client TEXT,
  display_name TEXT NOT NULL,
  enabled BIGINT NOT NULL,
  resource TEXT,
  resource_key TEXT {binary},
  directory_admin BIGINT NOT NULL,
  created BIGINT NOT NULL,
  deleted BIGINT NOT NULL,
  revision BIGINT NOT NULL,
  PRIMARY KEY (tenant, object)
);
CREATE UNIQUE INDEX principals_client ON principals (tenant, client) WHERE client IS NOT NULL;
CREATE INDEX principals_revision ON principals (tenant, revision);
CREATE INDEX principals_resource ON principals (tenant, resource_key) WHERE resource_key IS NOT NULL;

CREATE TABLE credentials (
  tenant TEXT NOT NULL,
  client TEXT NOT NULL,
  id TEXT NOT NULL,
  kind TEXT NOT NULL,
  lookup TEXT NOT NULL,
  material {bytes} NOT NULL,
  not_before BIGINT NOT NULL,
  expires BIGINT NOT NULL,
  PRIMARY KEY (tenant, client, id)
);

CREATE TABLE assignments (
  tenant TEXT NOT NULL,
  name_key TEXT NOT NULL,
  scope_key TEXT {binary} NOT NULL,
  name TEXT NOT NULL,
  scope TEXT NOT NULL,
  role TEXT NOT NULL,
  principal TEXT NOT NULL,
  principal_type TEXT NOT NULL,
  condition_text TEXT,
  condition_version TEXT,
  description TEXT,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  deleted BIGINT NOT NULL,
  revision BIGINT NOT NULL,
  -- The GUID is unique in the tenant, not only at its scope: nobody may displace another's assignment by its name.
  PRIMARY KEY (tenant, name_key)
);
CREATE INDEX assignments_scope ON assignments (tenant, scope_key, name_key);
CREATE UNIQUE INDEX assignments_once ON assignments (tenant, scope_key, role, principal) WHERE deleted = 0;
CREATE INDEX assignments_name ON assignments (tenant, name_key);
CREATE INDEX assignments_principal ON assignments (tenant, principal);
CREATE INDEX assignments_revision ON assignments (tenant, revision);

CREATE TABLE subscriptions (
  id TEXT NOT NULL PRIMARY KEY,
  tenant TEXT NOT NULL,
  display_name TEXT NOT NULL,
  tags TEXT NOT NULL,
  created BIGINT NOT NULL
);
CREATE INDEX subscriptions_tenant ON subscriptions (tenant);

CREATE TABLE resources (
  tenant TEXT NOT NULL,
  id_key TEXT {binary} NOT NULL,
  id TEXT NOT NULL,
  subscription TEXT NOT NULL,
  group_key TEXT {binary} NOT NULL,
  kind_key TEXT {binary} NOT NULL,
  kind TEXT NOT NULL,
  name_key TEXT {binary} NOT NULL,
  location TEXT NOT NULL,
  tags TEXT NOT NULL,
  extra TEXT NOT NULL,
  properties TEXT NOT NULL,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  updated_by TEXT NOT NULL,
  deleted BIGINT,
  generation BIGINT NOT NULL,
  PRIMARY KEY (tenant, id_key)
);
CREATE INDEX resources_kind ON resources (tenant, subscription, kind_key, id_key);
CREATE INDEX resources_group ON resources (tenant, subscription, group_key, id_key);
CREATE INDEX resources_name ON resources (tenant, subscription, name_key);

CREATE TABLE resource_tags (
  tenant TEXT NOT NULL,
  subscription TEXT NOT NULL,
  name_key TEXT {binary} NOT NULL,
  value TEXT {binary} NOT NULL,
  id_key TEXT {binary} NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (tenant, subscription, name_key, value, id_key)
);
CREATE INDEX resource_tags_resource ON resource_tags (tenant, id_key);

CREATE TABLE defined_tags (
  tenant TEXT NOT NULL,
  subscription TEXT NOT NULL,
  name_key TEXT NOT NULL,
  value TEXT NOT NULL,
  has_value BIGINT NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (tenant, subscription, name_key, has_value, value)
);

-- Host names are unique across tenants.
CREATE TABLE host_names (
  kind TEXT NOT NULL,
  label TEXT NOT NULL,
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  id_key TEXT {binary} NOT NULL,
  wrapped_key {bytes} NOT NULL,
  PRIMARY KEY (kind, label)
);
CREATE INDEX host_names_resource ON host_names (tenant, id_key);

CREATE TABLE audit (
  seq {sequence},
  tenant TEXT NOT NULL,
  time BIGINT NOT NULL,
  correlation TEXT NOT NULL,
  caller TEXT,
  client TEXT,
  action TEXT NOT NULL,
  scope TEXT NOT NULL,
  outcome TEXT NOT NULL,
  because TEXT NOT NULL
);
CREATE INDEX audit_correlation ON audit (tenant, correlation);
