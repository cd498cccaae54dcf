-- A machine's own id (`vmId`), folded; empty for everything else. Whoever has one attested is looked up by it.
ALTER TABLE resources ADD COLUMN vm_key TEXT {binary} NOT NULL DEFAULT '';
UPDATE resources SET vm_key = {vm_id} WHERE kind_key = 'microsoft.hybridcompute/machines';
CREATE INDEX resources_vm ON resources (tenant, vm_key, id_key) WHERE vm_key <> '';
