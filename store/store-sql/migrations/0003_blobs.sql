CREATE TABLE containers (
  tenant TEXT NOT NULL,
  account_key TEXT {binary} NOT NULL,
  name TEXT {binary} NOT NULL,
  etag TEXT NOT NULL,
  modified BIGINT NOT NULL,
  metadata TEXT NOT NULL,
  PRIMARY KEY (tenant, account_key, name)
);

-- Names sort by their bytes. Content up to some tens of kilobytes lies in the row; `segments` names the objects of the rest.
CREATE TABLE blobs (
  tenant TEXT NOT NULL,
  account_key TEXT {binary} NOT NULL,
  container TEXT {binary} NOT NULL,
  name TEXT {binary} NOT NULL,
  etag TEXT NOT NULL,
  created BIGINT NOT NULL,
  modified BIGINT NOT NULL,
  length BIGINT NOT NULL,
  properties TEXT NOT NULL,
  metadata TEXT NOT NULL,
  segments TEXT NOT NULL,
  content {bytes},
  PRIMARY KEY (tenant, account_key, container, name)
);

CREATE TABLE blocks (
  tenant TEXT NOT NULL,
  account_key TEXT {binary} NOT NULL,
  container TEXT {binary} NOT NULL,
  name TEXT {binary} NOT NULL,
  id TEXT NOT NULL,
  object TEXT NOT NULL,
  length BIGINT NOT NULL,
  made BIGINT NOT NULL,
  PRIMARY KEY (tenant, account_key, container, name, id)
);

-- Every object the bytes store keeps for us. `given_up` is when its last row went: it is swept some time later, so that
-- readers of the old content can finish.
CREATE TABLE objects (
  object TEXT NOT NULL PRIMARY KEY,
  tenant TEXT NOT NULL,
  account_key TEXT {binary} NOT NULL,
  container TEXT {binary} NOT NULL,
  name TEXT {binary} NOT NULL,
  given_up BIGINT
);
CREATE INDEX objects_place ON objects (tenant, account_key, container, name);
CREATE INDEX objects_given_up ON objects (given_up) WHERE given_up IS NOT NULL;
