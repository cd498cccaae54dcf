-- A secret is a name with versions; what is deleted is the name. `newest` spares a search on the hot path.
CREATE TABLE secrets (
  tenant TEXT NOT NULL,
  vault_key TEXT {binary} NOT NULL,
  name_key TEXT {binary} NOT NULL,
  name TEXT NOT NULL,
  newest TEXT NOT NULL,
  versions BIGINT NOT NULL,
  deleted BIGINT,
  purge BIGINT,
  PRIMARY KEY (tenant, vault_key, name_key)
);
CREATE INDEX secrets_purge ON secrets (purge) WHERE purge IS NOT NULL;

CREATE TABLE secret_versions (
  tenant TEXT NOT NULL,
  vault_key TEXT {binary} NOT NULL,
  name_key TEXT {binary} NOT NULL,
  version TEXT {binary} NOT NULL,
  number BIGINT NOT NULL,
  sealed {bytes} NOT NULL,
  content_type TEXT,
  tags TEXT NOT NULL,
  enabled BIGINT NOT NULL,
  not_before BIGINT,
  expires BIGINT,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  PRIMARY KEY (tenant, vault_key, name_key, version)
);
CREATE UNIQUE INDEX secret_versions_number ON secret_versions (tenant, vault_key, name_key, number);
