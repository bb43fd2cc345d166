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
    SELECT name::varchar(128) COLLATE sys.ci_as AS name, id::smallint AS system_type_id, user_id AS user_type_id, 4 AS schema_id, NULL::int AS principal_id,
           size::smallint AS max_length, digits::smallint AS precision, scale::smallint AS scale,
           CASE WHEN id IN (35, 99, 167, 175, 231, 239) THEN 'SQL_Latin1_General_CP1_CI_AS' END::varchar(128) AS collation_name,
           name <> 'timestamp' AND name <> 'sysname' AS is_nullable, false AS is_user_defined, id = 240 AS is_assembly_type, 0 AS default_object_id, 0 AS rule_object_id, false AS is_table_type
      FROM (VALUES ('image', 34, 34, 16, 0, 0), ('text', 35, 35, 16, 0, 0), ('uniqueidentifier', 36, 36, 16, 0, 0), ('date', 40, 40, 3, 10, 0), ('time', 41, 41, 5, 16, 7),
                   ('datetime2', 42, 42, 8, 27, 7), ('datetimeoffset', 43, 43, 10, 34, 7), ('tinyint', 48, 48, 1, 3, 0), ('smallint', 52, 52, 2, 5, 0), ('int', 56, 56, 4, 10, 0),
                   ('smalldatetime', 58, 58, 4, 16, 0), ('real', 59, 59, 4, 24, 0), ('money', 60, 60, 8, 19, 4), ('datetime', 61, 61, 8, 23, 3), ('float', 62, 62, 8, 53, 0),
                   ('sql_variant', 98, 98, 8016, 0, 0), ('ntext', 99, 99, 16, 0, 0), ('bit', 104, 104, 1, 1, 0), ('decimal', 106, 106, 17, 38, 38), ('numeric', 108, 108, 17, 38, 38),
                   ('smallmoney', 122, 122, 4, 10, 4), ('bigint', 127, 127, 8, 19, 0), ('hierarchyid', 240, 128, 892, 0, 0), ('geometry', 240, 129, -1, 0, 0), ('geography', 240, 130, -1, 0, 0),
                   ('varbinary', 165, 165, 8000, 0, 0), ('varchar', 167, 167, 8000, 0, 0), ('binary', 173, 173, 8000, 0, 0), ('char', 175, 175, 8000, 0, 0), ('timestamp', 189, 189, 8, 0, 0),
                   ('nvarchar', 231, 231, 8000, 0, 0), ('sysname', 231, 256, 256, 0, 0), ('nchar', 239, 239, 8000, 0, 0), ('xml', 241, 241, -1, 0, 0)) t (name, id, user_id, size, digits, scale);
CREATE VIEW sys.columns AS
    SELECT a.attrelid::int AS object_id, a.attname::varchar(128) COLLATE sys.ci_as AS name, a.attnum::int AS column_id, y.system_type_id, y.user_type_id,
           (CASE WHEN y.name IN ('nvarchar', 'nchar') THEN CASE WHEN t.first = 'max' THEN -1 ELSE t.first::int * 2 END
                 WHEN y.name IN ('varchar', 'char', 'varbinary', 'binary') THEN CASE WHEN t.first = 'max' THEN -1 ELSE t.first::int END
                 WHEN y.name = 'numeric' THEN CASE WHEN t.first::int <= 9 THEN 5 WHEN t.first::int <= 19 THEN 9 WHEN t.first::int <= 28 THEN 13 ELSE 17 END
                 WHEN y.name IN ('time', 'datetime2', 'datetimeoffset') THEN y.max_length - CASE WHEN t.first::int <= 2 THEN 2 WHEN t.first::int <= 4 THEN 1 ELSE 0 END
                 ELSE y.max_length END)::smallint AS max_length,
           (CASE WHEN y.name = 'numeric' THEN t.first::int WHEN y.name IN ('time', 'datetime2', 'datetimeoffset') THEN y.precision - 8 + t.first::int + CASE WHEN t.first = '0' THEN 0 ELSE 1 END
                 ELSE y.precision END)::smallint AS precision,
           (CASE WHEN y.name = 'numeric' THEN t.second::int WHEN y.name IN ('time', 'datetime2', 'datetimeoffset') THEN t.first::int ELSE y.scale END)::smallint AS scale,
           y.collation_name, NOT a.attnotnull AS is_nullable, false AS is_ansi_padded, false AS is_rowguidcol, a.attidentity <> '' AS is_identity, a.attgenerated <> '' AS is_computed,
           false AS is_filestream, false AS is_sparse, false AS is_column_set
      FROM pg_attribute a JOIN sys.objects o ON o.object_id = a.attrelid::int
      LEFT JOIN pg_description m ON m.classoid = 'pg_class'::regclass AND m.objoid = a.attrelid AND m.objsubid = a.attnum
      CROSS JOIN LATERAL (SELECT string_to_array(translate(coalesce(m.description, sys.sized_type(a.atttypid, a.atttypmod)), '()', ','), ',') AS parts OFFSET 0) d
      CROSS JOIN LATERAL (SELECT d.parts[1] AS name, d.parts[2] AS first, d.parts[3] AS second) t
      JOIN sys.types y ON y.name = t.name COLLATE sys.ci_as
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
