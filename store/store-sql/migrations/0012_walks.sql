-- A group is a range of ids: nothing looks resources up by this any more, and every enrolment wrote it.
DROP INDEX resources_group;
-- Deny assignments in the order of scopes and ids, so that a page of them begins where the last one ended.
DROP INDEX deny_assignments_scope;
CREATE INDEX deny_assignments_scope ON deny_assignments (tenant, scope_key, id);
