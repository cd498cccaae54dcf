-- Prepares a PostgreSQL for the database gateway. To be run once, by a superuser, in the database `postgres`:
--     countersign database setup | psql -d postgres
-- Roles of people and machines lie in `entra`, without passwords; who is in `entra_admin` may make and drop them.
-- Names reach these functions as parameters and are quoted by the server (%I); no statement is pasted together outside.
SET standard_conforming_strings = on;

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
  ELSIF known.rolsuper OR NOT pg_catalog.pg_has_role(known.oid, 'entra', 'MEMBER') THEN
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
  IF NOT FOUND OR known.rolsuper OR NOT pg_catalog.pg_has_role(known.oid, 'entra', 'MEMBER') THEN
    RAISE EXCEPTION 'the role "%" is not one of the gateway''s', role_name USING ERRCODE = 'undefined_object';
  END IF;
  EXECUTE pg_catalog.format('DROP ROLE %I', role_name);
  RETURN pg_catalog.format('Dropped role "%s"', role_name);
END
$$;

REVOKE ALL ON FUNCTION countersign.create_principal(text, boolean), countersign.drop_principal(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION countersign.create_principal(text, boolean), countersign.drop_principal(text) TO entra_admin;
