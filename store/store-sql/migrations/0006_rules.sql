CREATE TABLE role_definitions (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  name_key TEXT {binary} NOT NULL,
  description TEXT NOT NULL,
  permissions TEXT NOT NULL,
  assignable TEXT NOT NULL,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  deleted BIGINT NOT NULL,
  revision BIGINT NOT NULL,
  PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX role_definitions_name ON role_definitions (tenant, name_key) WHERE deleted = 0;
CREATE INDEX role_definitions_revision ON role_definitions (tenant, revision);
CREATE INDEX assignments_role ON assignments (tenant, role);

CREATE TABLE deny_assignments (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  scope TEXT NOT NULL,
  scope_key TEXT {binary} NOT NULL,
  body TEXT NOT NULL,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  deleted BIGINT NOT NULL,
  revision BIGINT NOT NULL,
  PRIMARY KEY (tenant, id)
);
CREATE INDEX deny_assignments_scope ON deny_assignments (tenant, scope_key);
CREATE INDEX deny_assignments_revision ON deny_assignments (tenant, revision);

CREATE TABLE locks (
  tenant TEXT NOT NULL,
  scope_key TEXT {binary} NOT NULL,
  name_key TEXT NOT NULL,
  scope TEXT NOT NULL,
  name TEXT NOT NULL,
  level TEXT NOT NULL,
  notes TEXT,
  owners TEXT NOT NULL,
  PRIMARY KEY (tenant, scope_key, name_key)
);

-- The activity log is read by time.
CREATE INDEX audit_time ON audit (tenant, time);
