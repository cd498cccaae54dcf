-- Listings in the order of ids: resources of one name, and those with a tag of any value.
DROP INDEX resources_name;
CREATE INDEX resources_name ON resources (tenant, subscription, name_key, id_key);
CREATE INDEX resource_tags_named ON resource_tags (tenant, subscription, name_key, id_key);
