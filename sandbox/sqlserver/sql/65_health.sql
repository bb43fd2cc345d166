-- What a health check asks: who am I, what may I, how am I connected, how full is the log.
CREATE FUNCTION sys.database_principal_id(name text DEFAULT NULL) RETURNS int STABLE LANGUAGE sql AS $$
    SELECT oid::int FROM pg_roles WHERE lower(rolname) = lower(coalesce(name, session_user)) AND rolname !~ '^pg_' $$;
CREATE FUNCTION sys.suser_id(name text DEFAULT NULL) RETURNS int STABLE LANGUAGE sql AS $$
    SELECT CASE WHEN lower(name) = 'sa' THEN 1 ELSE (SELECT oid::int FROM pg_roles WHERE lower(rolname) = lower(coalesce(name, session_user)) AND rolcanlogin) END $$;
CREATE FUNCTION sys.connectionproperty(name text) RETURNS varchar STABLE LANGUAGE sql AS $$
    SELECT CASE lower(name) WHEN 'auth_scheme' THEN 'SQL' WHEN 'net_transport' THEN 'TCP' WHEN 'protocol_type' THEN 'TSQL' END::varchar $$;

-- A schema's right holds when it holds for all that is in it. No such securable gives NULL.
CREATE OR REPLACE FUNCTION sys.has_perms_by_name(securable text, class text, permission text) RETURNS int STABLE LANGUAGE plpgsql AS $$
DECLARE id oid; kind text := upper(coalesce(class, 'SERVER')); wanted text := upper(permission); schema text;
BEGIN
    IF kind = 'SCHEMA' THEN
        SELECT nspname INTO schema FROM pg_namespace WHERE lower(nspname) = lower(translate(securable, '[]"', ''));
        IF schema IS NULL THEN RETURN NULL; END IF;
    END IF;
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = session_user) THEN RETURN 1; END IF;
    IF wanted LIKE 'VIEW % STATE' THEN RETURN pg_has_role(session_user, lower(replace(wanted, ' ', '_')), 'member')::int; END IF;
    IF kind = 'SCHEMA' THEN
        RETURN (has_schema_privilege(session_user, schema, 'USAGE') AND NOT EXISTS (
            SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = schema AND c.relkind IN ('r', 'v') AND NOT has_table_privilege(session_user, c.oid, wanted)))::int;
    END IF;
    id := sys.object_id(securable)::oid;
    IF id IS NULL THEN RETURN NULL; END IF;
    IF EXISTS (SELECT 1 FROM pg_proc WHERE oid = id) THEN RETURN has_function_privilege(session_user, id, 'EXECUTE')::int; END IF;
    RETURN has_table_privilege(session_user, id, wanted)::int;
END $$;

-- Filled when somebody asks, with the sessions of that moment.
CREATE UNLOGGED TABLE sys.connections (session_id int, net_transport varchar(40), encrypt_option varchar(40), auth_scheme varchar(40));
CREATE VIEW sys.dm_exec_connections AS SELECT * FROM sys.connections;
-- What the capture job has not read is in use; the file itself has 64 MB and grows.
CREATE VIEW sys.dm_db_log_space_usage AS
    SELECT sys.db_id() AS database_id, greatest(67108864, used.bytes)::bigint AS total_log_size_in_bytes, used.bytes::bigint AS used_log_space_in_bytes,
           (100.0 * used.bytes / greatest(67108864, used.bytes))::real AS used_log_space_in_percent
      FROM (SELECT coalesce((SELECT pg_current_wal_lsn() - confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'cdc'), 0) AS bytes) used;
GRANT SELECT ON sys.dm_exec_connections TO view_server_state;
GRANT SELECT ON sys.dm_db_log_space_usage TO view_database_state, view_database_performance_state;
