-- The catalog views that a CDC reader, an ODBC driver or a schema check asks.
CREATE VIEW sys.schemas AS
    SELECT nspname::varchar(128) COLLATE sys.ci_as AS name, oid::int AS schema_id, 1 AS principal_id FROM pg_namespace
     WHERE nspname IN ('dbo', 'cdc', 'sys') OR (nspname !~ '^(pg_|information_schema|public|msdb|cdc_disabled)');
CREATE VIEW sys.databases AS
    SELECT datname::varchar(128) COLLATE sys.ci_as AS name, oid::int AS database_id, NULL::int AS source_database_id, 160::smallint AS compatibility_level,
           'SQL_Latin1_General_CP1_CI_AS'::varchar(128) AS collation_name, false AS is_read_only, 0::smallint AS state, 'ONLINE'::varchar(60) AS state_desc,
           (CASE WHEN (SELECT is_on FROM sys.options WHERE name = 'allow_snapshot_isolation') THEN 1 ELSE 0 END)::smallint AS snapshot_isolation_state,
           (CASE WHEN (SELECT is_on FROM sys.options WHERE name = 'allow_snapshot_isolation') THEN 'ON' ELSE 'OFF' END)::varchar(60) AS snapshot_isolation_state_desc,
           true AS is_read_committed_snapshot_on, 'FULL'::varchar(60) AS recovery_model_desc,
           EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = 'cdc') AS is_cdc_enabled,
           (CASE WHEN (SELECT pg_current_wal_lsn() - confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'cdc') > 16777216 THEN 6 ELSE 0 END)::smallint AS log_reuse_wait,
           (CASE WHEN (SELECT pg_current_wal_lsn() - confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'cdc') > 16777216
                 THEN 'REPLICATION' ELSE 'NOTHING' END)::varchar(60) AS log_reuse_wait_desc
      FROM pg_database WHERE datname = current_database();
CREATE VIEW sys.objects AS
    SELECT c.relname::varchar(128) COLLATE sys.ci_as AS name, c.oid::int AS object_id, c.relnamespace::int AS schema_id, 0 AS parent_object_id,
           (CASE c.relkind WHEN 'r' THEN 'U ' WHEN 'v' THEN 'V ' END)::varchar(2) AS type,
           (CASE c.relkind WHEN 'r' THEN 'USER_TABLE' WHEN 'v' THEN 'VIEW' END)::varchar(60) AS type_desc, c.relnamespace = 'cdc'::regnamespace AS is_ms_shipped
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'v') AND n.nspname !~ '^(pg_|information_schema|sys|msdb|cdc_disabled)';
CREATE VIEW sys.tables AS
    SELECT o.*, EXISTS (SELECT 1 FROM cdc.change_tables t WHERE t.source_object_id = o.object_id) AS is_tracked_by_cdc FROM sys.objects o WHERE o.type = 'U ';
CREATE VIEW sys.views AS SELECT * FROM sys.objects WHERE type = 'V ';
CREATE VIEW sys.types AS
    SELECT name::varchar(128) COLLATE sys.ci_as AS name, id AS system_type_id, id::int AS user_type_id, 4 AS schema_id, size AS max_length, false AS is_user_defined
      FROM (VALUES ('uniqueidentifier', 36::smallint, 16::smallint), ('date', 40, 3), ('time', 41, 5), ('datetime2', 42, 8), ('datetimeoffset', 43, 10),
                   ('tinyint', 48, 1), ('smallint', 52, 2), ('int', 56, 4), ('real', 59, 4), ('datetime', 61, 8), ('float', 62, 8), ('bit', 104, 1),
                   ('numeric', 108, 17), ('bigint', 127, 8), ('varbinary', 165, 8000), ('binary', 173, 8000), ('nvarchar', 231, 8000), ('nchar', 239, 8000)) t (name, id, size);
CREATE VIEW sys.columns AS
    SELECT a.attrelid::int AS object_id, a.attname::varchar(128) COLLATE sys.ci_as AS name, a.attnum::int AS column_id, y.system_type_id, y.user_type_id,
           (CASE WHEN y.name = 'nvarchar' THEN CASE WHEN a.atttypmod > 0 THEN (a.atttypmod - 4) * 2 ELSE -1 END
                 WHEN y.name IN ('varbinary', 'binary') THEN CASE WHEN a.atttypmod > 0 THEN a.atttypmod - 4 ELSE -1 END ELSE y.max_length END)::smallint AS max_length,
           (CASE y.name WHEN 'numeric' THEN CASE WHEN a.atttypmod > 0 THEN ((a.atttypmod - 4) >> 16) & 65535 ELSE 38 END WHEN 'bigint' THEN 19 WHEN 'int' THEN 10
                        WHEN 'smallint' THEN 5 WHEN 'datetime' THEN 23 WHEN 'datetime2' THEN 27 WHEN 'bit' THEN 1 WHEN 'float' THEN 53 ELSE 0 END)::smallint AS precision,
           (CASE y.name WHEN 'numeric' THEN CASE WHEN a.atttypmod > 0 THEN (a.atttypmod - 4) & 65535 ELSE 0 END WHEN 'datetime' THEN 3
                        WHEN 'datetime2' THEN CASE WHEN a.atttypmod >= 0 THEN a.atttypmod ELSE 6 END ELSE 0 END)::smallint AS scale,
           CASE WHEN y.name IN ('nvarchar', 'nchar') THEN 'SQL_Latin1_General_CP1_CI_AS' END::varchar(128) AS collation_name,
           NOT a.attnotnull AS is_nullable, a.attidentity <> '' AS is_identity, a.attgenerated <> '' AS is_computed
      FROM pg_attribute a JOIN sys.objects o ON o.object_id = a.attrelid::int JOIN sys.types y ON y.name = sys.type_name(a.atttypid, a.atttypmod) COLLATE sys.ci_as
     WHERE a.attnum > 0 AND NOT a.attisdropped;
CREATE VIEW sys.indexes AS
    SELECT i.indrelid::int AS object_id, c.relname::varchar(128) COLLATE sys.ci_as AS name, row_number() OVER (PARTITION BY i.indrelid ORDER BY NOT i.indisprimary, i.indexrelid)::int AS index_id,
           i.indisunique AS is_unique, i.indisprimary AS is_primary_key, i.indexrelid::int AS standin_index_oid,
           (CASE WHEN i.indisprimary THEN 'CLUSTERED' ELSE 'NONCLUSTERED' END)::varchar(60) AS type_desc
      FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN sys.objects o ON o.object_id = i.indrelid::int;
CREATE VIEW sys.index_columns AS
    SELECT i.object_id, i.index_id, k.ordinal::int AS index_column_id, k.attnum::int AS column_id, k.ordinal::smallint AS key_ordinal, false AS is_descending_key, false AS is_included_column
      FROM sys.indexes i JOIN pg_index x ON x.indexrelid::int = i.standin_index_oid CROSS JOIN LATERAL unnest(x.indkey) WITH ORDINALITY k (attnum, ordinal);
CREATE VIEW sys.key_constraints AS
    SELECT c.conname::varchar(128) COLLATE sys.ci_as AS name, c.oid::int AS object_id, c.conrelid::int AS parent_object_id, (CASE c.contype WHEN 'p' THEN 'PK' ELSE 'UQ' END)::varchar(2) AS type,
           (SELECT index_id FROM sys.indexes i WHERE i.standin_index_oid = c.conindid::int) AS unique_index_id
      FROM pg_constraint c WHERE c.contype IN ('p', 'u');
CREATE VIEW sys.database_principals AS
    SELECT rolname::varchar(128) COLLATE sys.ci_as AS name, oid::int AS principal_id, (CASE WHEN rolcanlogin THEN 'S' ELSE 'R' END)::varchar(1) AS type FROM pg_roles WHERE rolname !~ '^pg_';
-- `sys.partitions` gives a row estimate, as readers use it for progress.
CREATE VIEW sys.partitions AS
    SELECT c.oid::int AS object_id, 1 AS index_id, 1 AS partition_number, greatest(c.reltuples, 0)::bigint AS rows FROM pg_class c JOIN sys.objects o ON o.object_id = c.oid::int WHERE c.relkind = 'r';
