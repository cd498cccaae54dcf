-- Few resources are soft-deleted, and whoever asks for them reads none of the others.
CREATE INDEX resources_deleted ON resources (tenant, subscription, id_key) WHERE deleted IS NOT NULL;
