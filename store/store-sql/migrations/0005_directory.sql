-- Names are looked up folded. The program folds; rows from before are folded by the engine, which suffices for ASCII.
ALTER TABLE principals ADD COLUMN name_key TEXT {binary} NOT NULL DEFAULT '';
UPDATE principals SET name_key = LOWER(display_name);
CREATE INDEX principals_name ON principals (tenant, name_key);
CREATE INDEX principals_kind ON principals (tenant, kind, object);
-- An application's service principal may be made again: another principal of the same client.
DROP INDEX principals_client;
CREATE UNIQUE INDEX principals_client ON principals (tenant, client) WHERE client IS NOT NULL AND deleted = 0;

-- What a principal has beside its row. `handle_key` is a user's folded principal name.
CREATE TABLE principal_details (
  tenant TEXT NOT NULL,
  object TEXT NOT NULL,
  handle_key TEXT {binary},
  details TEXT NOT NULL,
  PRIMARY KEY (tenant, object)
);
CREATE UNIQUE INDEX principal_details_handle ON principal_details (tenant, handle_key) WHERE handle_key IS NOT NULL;

CREATE TABLE applications (
  tenant TEXT NOT NULL,
  object TEXT NOT NULL,
  client TEXT NOT NULL,
  display_name TEXT NOT NULL,
  name_key TEXT {binary} NOT NULL,
  uris TEXT NOT NULL,
  details TEXT NOT NULL,
  created BIGINT NOT NULL,
  PRIMARY KEY (tenant, object)
);
CREATE UNIQUE INDEX applications_client ON applications (tenant, client);
CREATE INDEX applications_name ON applications (tenant, name_key);

CREATE TABLE application_uris (
  tenant TEXT NOT NULL,
  uri TEXT {binary} NOT NULL,
  object TEXT NOT NULL,
  PRIMARY KEY (tenant, uri)
);
CREATE INDEX application_uris_object ON application_uris (tenant, object);

-- Members of groups and owners of anything. What was taken away stays as a tombstone, so that other replicas hear of it.
CREATE TABLE links (
  tenant TEXT NOT NULL,
  holder TEXT NOT NULL,
  kind TEXT NOT NULL,
  who TEXT NOT NULL,
  deleted BIGINT NOT NULL,
  revision BIGINT NOT NULL,
  PRIMARY KEY (tenant, holder, kind, who)
);
CREATE INDEX links_who ON links (tenant, who, kind);
CREATE INDEX links_revision ON links (tenant, revision);

-- Whose tokens stand for an application or identity. Issuers, subjects and audiences compare byte for byte.
CREATE TABLE federated_credentials (
  tenant TEXT NOT NULL,
  client TEXT NOT NULL,
  name_key TEXT {binary} NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  issuer TEXT {binary} NOT NULL,
  subject TEXT {binary} NOT NULL,
  audiences TEXT NOT NULL,
  description TEXT,
  created BIGINT NOT NULL,
  PRIMARY KEY (tenant, client, name_key)
);
CREATE UNIQUE INDEX federated_credentials_once ON federated_credentials (tenant, client, issuer, subject);
