-- Prepares a PostgreSQL for the database gateway. To be run once, by a superuser, in the database `postgres`:
--     countersign database setup --server NAME [--admin ROLE] | psql -d postgres
-- Roles of people and machines lie in `entra`, without passwords; who is in `entra_admin` may make and drop them.
-- Names reach these functions as parameters and are quoted by the server (%I); no statement is pasted together outside.
SET standard_conforming_strings = on;
-- All or nothing: a function stands for a moment before its rights are taken from everybody.
BEGIN;

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'entra') THEN
    CREATE ROLE entra NOLOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'entra_admin') THEN
    CREATE ROLE entra_admin NOLOGIN;
  END IF;
END
$$;

CREATE SCHEMA IF NOT EXISTS countersign;
REVOKE ALL ON SCHEMA countersign FROM PUBLIC;
GRANT USAGE ON SCHEMA countersign TO entra_admin;

-- Whether a role is of a person or machine. The gateway's own two groups are neither.
CREATE OR REPLACE FUNCTION countersign.is_principal(role_oid oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT NOT r.rolsuper AND r.rolname NOT IN ('entra', 'entra_admin') AND pg_catalog.pg_has_role(r.oid, 'entra', 'MEMBER')
    FROM pg_catalog.pg_roles r WHERE r.oid = role_oid
$$;

-- Makes a role that logs in through the gateway and no other way. A role that is there must be such a one.
CREATE OR REPLACE FUNCTION countersign.create_principal(role_name text, is_admin boolean) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  known pg_catalog.pg_roles%ROWTYPE;
BEGIN
  IF pg_catalog.octet_length(role_name) NOT BETWEEN 1 AND 63 THEN
    RAISE EXCEPTION 'a role name has 1 to 63 bytes' USING ERRCODE = 'name_too_long';
  END IF;
  SELECT * INTO known FROM pg_catalog.pg_roles WHERE rolname = role_name;
  IF NOT FOUND THEN
    EXECUTE pg_catalog.format('CREATE ROLE %I LOGIN PASSWORD NULL IN ROLE entra', role_name);
  ELSIF NOT countersign.is_principal(known.oid) THEN
    RAISE EXCEPTION 'the role "%" is not one of the gateway''s', role_name USING ERRCODE = 'duplicate_object';
  END IF;
  IF is_admin THEN
    EXECUTE pg_catalog.format('GRANT entra_admin TO %I', role_name);
  END IF;
  RETURN pg_catalog.format('Created role for "%s"', role_name);
END
$$;

-- Drops such a role. One that owns something stays, and the error says what it owns.
CREATE OR REPLACE FUNCTION countersign.drop_principal(role_name text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  known pg_catalog.pg_roles%ROWTYPE;
BEGIN
  SELECT * INTO known FROM pg_catalog.pg_roles WHERE rolname = role_name;
  IF NOT FOUND OR NOT countersign.is_principal(known.oid) THEN
    RAISE EXCEPTION 'the role "%" is not one of the gateway''s', role_name USING ERRCODE = 'undefined_object';
  END IF;
  EXECUTE pg_catalog.format('DROP ROLE %I', role_name);
  RETURN pg_catalog.format('Dropped role "%s"', role_name);
END
$$;

-- What Azure's functions of these names do, for scripts that call them. They make the role and write down whose it is;
-- `countersign database principal sync` (or `sync --watch`) makes the site's rules follow.
CREATE TABLE IF NOT EXISTS countersign.site (one boolean PRIMARY KEY DEFAULT true CHECK (one), tenant text);
INSERT INTO countersign.site VALUES (true, NULL) ON CONFLICT DO NOTHING;
-- By the role's oid: a role that is dropped and made anew under its name is another one.
CREATE TABLE IF NOT EXISTS countersign.principals (
  role_oid oid PRIMARY KEY, role_name name NOT NULL, object_id uuid, kind text,
  is_admin boolean NOT NULL DEFAULT false, CHECK (kind IN ('user', 'group', 'service')));
REVOKE ALL ON countersign.site, countersign.principals FROM PUBLIC;

-- Writes down whose a role of the gateway's is; an object id that is not known yet is found by the role's name.
CREATE OR REPLACE FUNCTION countersign.bind(role_name text, object_id text, kind text, is_admin boolean, is_mfa boolean)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF is_mfa THEN
    RAISE EXCEPTION 'multi-factor authentication is not enforced here: isMfa must be false' USING ERRCODE = 'feature_not_supported';
  END IF;
  IF kind NOT IN ('user', 'group', 'service') THEN
    RAISE EXCEPTION 'objectType must be user, group or service' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  INSERT INTO countersign.principals
    SELECT r.oid, r.rolname, bind.object_id::uuid, bind.kind, bind.is_admin FROM pg_catalog.pg_roles r WHERE r.rolname = bind.role_name
    ON CONFLICT (role_oid) DO UPDATE
      SET role_name = excluded.role_name, object_id = excluded.object_id, kind = excluded.kind, is_admin = excluded.is_admin;
END
$$;

CREATE OR REPLACE FUNCTION pg_catalog.pgaadauth_create_principal_with_oid(
  rolename text, objectid text, objecttype text, isadmin boolean, ismfa boolean) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told text;
BEGIN
  IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = rolename) THEN
    RAISE EXCEPTION 'role "%" already exists', rolename USING ERRCODE = 'duplicate_object';
  END IF;
  told := countersign.create_principal(rolename, isadmin);
  PERFORM countersign.bind(rolename, objectid, objecttype, isadmin, ismfa);
  RETURN told;
END
$$;

CREATE OR REPLACE FUNCTION pg_catalog.pgaadauth_create_principal(rolename text, isadmin boolean, ismfa boolean) RETURNS text
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT pg_catalog.pgaadauth_create_principal_with_oid(rolename, NULL, NULL, isadmin, ismfa)
$$;

-- Gives a role that is there to a principal. One that does not belong to the gateway yet only a superuser hands over.
CREATE OR REPLACE FUNCTION pg_catalog.pgaadauth_update_principal_with_oid(
  rolename text, objectid text, objecttype text, isadmin boolean, ismfa boolean) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  known pg_catalog.pg_roles%ROWTYPE;
  by_superuser boolean := (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = session_user);
BEGIN
  SELECT * INTO known FROM pg_catalog.pg_roles WHERE rolname = rolename;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'role "%" does not exist', rolename USING ERRCODE = 'undefined_object';
  END IF;
  IF known.rolsuper OR rolename IN ('entra', 'entra_admin')
     OR NOT (by_superuser OR countersign.is_principal(known.oid)) THEN
    RAISE EXCEPTION 'the role "%" is not one of the gateway''s', rolename USING ERRCODE = 'insufficient_privilege',
      HINT = 'A superuser may call this for a role that is no superuser.';
  END IF;
  EXECUTE pg_catalog.format('GRANT entra TO %I', rolename);
  EXECUTE pg_catalog.format('ALTER ROLE %I LOGIN PASSWORD NULL', rolename);
  IF isadmin THEN
    EXECUTE pg_catalog.format('GRANT entra_admin TO %I', rolename);
  ELSE
    EXECUTE pg_catalog.format('REVOKE entra_admin FROM %I', rolename);
  END IF;
  PERFORM countersign.bind(rolename, objectid, objecttype, isadmin, ismfa);
  RETURN pg_catalog.format('Updated role for "%s"', rolename);
END
$$;

CREATE OR REPLACE FUNCTION pg_catalog.pgaadauth_list_principals(isadminvalue boolean)
RETURNS TABLE (rolname name, principaltype text, objectid text, tenantid text, ismfa integer, isadmin integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT r.rolname, p.kind, p.object_id::text, (SELECT s.tenant FROM countersign.site s), 0, p.is_admin::int
    FROM countersign.principals p JOIN pg_catalog.pg_roles r ON r.oid = p.role_oid
   WHERE p.is_admin OR NOT isadminvalue ORDER BY r.rolname
$$;

-- For `principal sync`: every role that was written down, also one that is gone, and what the directory told of it.
CREATE OR REPLACE FUNCTION countersign.principals_to_sync()
RETURNS TABLE (role_oid oid, role_name name, object_id text, kind text, dropped boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT p.role_oid, coalesce(r.rolname, p.role_name), p.object_id::text, p.kind, r.oid IS NULL
    FROM countersign.principals p LEFT JOIN pg_catalog.pg_roles r ON r.oid = p.role_oid ORDER BY r.oid IS NOT NULL
$$;
CREATE OR REPLACE FUNCTION countersign.found_principal(role_oid oid, object_id text, kind text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  UPDATE countersign.principals p SET object_id = $2::uuid, kind = $3 WHERE p.role_oid = $1 AND p.object_id IS NULL
$$;
CREATE OR REPLACE FUNCTION countersign.forgot_principal(role_oid oid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM countersign.principals p
   WHERE p.role_oid = $1 AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = p.role_oid)
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA countersign FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_catalog.pgaadauth_create_principal(text, boolean, boolean),
  pg_catalog.pgaadauth_create_principal_with_oid(text, text, text, boolean, boolean),
  pg_catalog.pgaadauth_update_principal_with_oid(text, text, text, boolean, boolean),
  pg_catalog.pgaadauth_list_principals(boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION countersign.create_principal(text, boolean), countersign.drop_principal(text),
  countersign.principals_to_sync(), countersign.found_principal(oid, text, text), countersign.forgot_principal(oid),
  pg_catalog.pgaadauth_create_principal(text, boolean, boolean),
  pg_catalog.pgaadauth_create_principal_with_oid(text, text, text, boolean, boolean),
  pg_catalog.pgaadauth_update_principal_with_oid(text, text, text, boolean, boolean),
  pg_catalog.pgaadauth_list_principals(boolean) TO entra_admin;
COMMIT;
