-- SQL Server's fixed database roles, and roles that stand for its state permissions.
CREATE ROLE db_owner; CREATE ROLE db_datareader; CREATE ROLE db_datawriter; CREATE ROLE db_ddladmin;
CREATE ROLE view_database_state; CREATE ROLE view_server_state; CREATE ROLE view_database_performance_state;
GRANT postgres TO db_owner;
GRANT view_database_state TO view_server_state;
GRANT USAGE ON SCHEMA cdc TO db_datareader;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA dbo GRANT SELECT ON TABLES TO db_datareader;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA cdc GRANT SELECT ON TABLES TO db_datareader;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA cdc GRANT EXECUTE ON FUNCTIONS TO db_datareader;
GRANT SELECT ON ALL TABLES IN SCHEMA cdc TO db_datareader;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA dbo GRANT INSERT, UPDATE, DELETE ON TABLES TO db_datawriter;
GRANT SELECT ON sys.schemas, sys.databases, sys.objects, sys.tables, sys.views, sys.types, sys.columns, sys.indexes, sys.index_columns, sys.key_constraints,
    sys.database_principals, sys.partitions TO PUBLIC;
GRANT SELECT ON sys.dm_cdc_log_scan_sessions, sys.dm_cdc_errors TO view_database_state, view_database_performance_state;
GRANT SELECT ON sys.dm_server_services TO view_server_state;
-- msdb knows everybody as guest; what is in it, is granted.
GRANT USAGE ON SCHEMA msdb TO PUBLIC;

CREATE FUNCTION sys.create_role(name text, login boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = name) THEN
        EXECUTE format('CREATE ROLE %I ' || CASE WHEN login THEN 'LOGIN' ELSE 'NOLOGIN' END, name);
    END IF;
END $$;

-- GRANT or REVOKE on a table, whose name need not be spelled exactly. `columns` are quoted names, or empty.
CREATE FUNCTION sys.grant_on_table(verb text, rights text, schema text, name text, columns text, grantee text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE target text; relation oid; part text; spelled text := '';
BEGIN
    SELECT format('%I.%I', n.nspname, c.relname), c.oid INTO target, relation FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE lower(n.nspname) = lower(schema) AND lower(c.relname) = lower(name) AND c.relkind IN ('r', 'v');
    IF target IS NULL THEN
        PERFORM sys.raise_error(15151, format('Cannot find the object ''%s'', because it does not exist or you do not have permission.', name));
    END IF;
    IF columns <> '' THEN
        SELECT string_agg(quote_ident(a.attname), ', ') INTO spelled FROM pg_attribute a
         WHERE a.attrelid = relation AND a.attnum > 0 AND lower(a.attname) = ANY (string_to_array(lower(translate(columns, '" ', '')), ','));
        spelled := '(' || spelled || ')';
    END IF;
    EXECUTE format('%s %s %s ON %s %s %I', verb, rights, spelled, target, CASE upper(verb) WHEN 'GRANT' THEN 'TO' ELSE 'FROM' END, grantee);
END $$;

-- GRANT <right> ON SCHEMA::<schema>: also for what is created later, as in SQL Server.
CREATE FUNCTION sys.grant_on_schema(schema text, rights text, grantee text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', schema, grantee);
    EXECUTE format('GRANT %s ON ALL TABLES IN SCHEMA %I TO %I', rights, schema, grantee);
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA %I GRANT %s ON TABLES TO %I', schema, rights, grantee);
    IF rights ~* '\mselect\M' THEN
        EXECUTE format('GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA %I TO %I', schema, grantee);
        EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA %I GRANT EXECUTE ON FUNCTIONS TO %I', schema, grantee);
    END IF;
END $$;
CREATE FUNCTION sys.revoke_on_schema(schema text, rights text, grantee text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('REVOKE %s ON ALL TABLES IN SCHEMA %I FROM %I', rights, schema, grantee);
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA %I REVOKE %s ON TABLES FROM %I', schema, rights, grantee);
    IF rights ~* '\mselect\M' THEN
        EXECUTE format('REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA %I FROM %I', schema, grantee);
        EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA %I REVOKE EXECUTE ON FUNCTIONS FROM %I', schema, grantee);
        EXECUTE format('REVOKE USAGE ON SCHEMA %I FROM %I', schema, grantee);
    END IF;
END $$;
-- In this database every function is for its owner or for whom it was granted to, but the built-in ones are for all.
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA cdc REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
CREATE PUBLICATION cdc;
ALTER SCHEMA cdc RENAME TO cdc_disabled;
