-- What docs/postgres.md tells a database's owner to do: roles of people and machines in one group, without passwords.
SET password_encryption = 'scram-sha-256';
CREATE ROLE entra NOLOGIN;
CREATE ROLE "lab-machine" LOGIN REPLICATION IN ROLE entra;
CREATE ROLE "Data Team" LOGIN IN ROLE entra;
CREATE ROLE direct LOGIN PASSWORD 'direct';
CREATE DATABASE lab;
GRANT ALL ON DATABASE lab TO entra, direct;
\connect lab
GRANT ALL ON SCHEMA public TO entra, direct;
