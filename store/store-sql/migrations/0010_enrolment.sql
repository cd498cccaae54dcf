CREATE TABLE join_tokens (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  group_id TEXT NOT NULL,
  group_key TEXT {binary} NOT NULL,
  hash {bytes} NOT NULL,
  tags TEXT NOT NULL,
  created BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  created_by_client TEXT NOT NULL,
  expires BIGINT NOT NULL,
  used BIGINT,
  machine TEXT,
  machine_key TEXT,
  PRIMARY KEY (tenant, id)
);
CREATE INDEX join_tokens_group ON join_tokens (tenant, group_key);

CREATE TABLE machine_keys (
  tenant TEXT NOT NULL,
  client TEXT NOT NULL,
  generation BIGINT NOT NULL,
  counter BIGINT,
  nonce TEXT NOT NULL,
  beat BIGINT,
  offered TEXT,
  replaced TEXT NOT NULL,
  quarantined BIGINT,
  why TEXT NOT NULL,
  PRIMARY KEY (tenant, client)
);
