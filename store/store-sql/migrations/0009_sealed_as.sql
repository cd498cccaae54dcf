-- The id under which a vault was made. Its secrets are sealed to that and stay so when it moves; empty means the id it has.
ALTER TABLE host_names ADD COLUMN sealed_as TEXT NOT NULL DEFAULT '';
