-- The catalog procedures behind ODBC's SQLTables, SQLColumns, SQLPrimaryKeys. The result columns are ODBC's.
CREATE VIEW sys.odbc_columns AS
    SELECT current_database()::varchar(128) AS "TABLE_QUALIFIER", s.name AS "TABLE_OWNER", o.name AS "TABLE_NAME", c.name AS "COLUMN_NAME",
           (CASE y.name WHEN 'bigint' THEN -5 WHEN 'int' THEN 4 WHEN 'smallint' THEN 5 WHEN 'tinyint' THEN -6 WHEN 'bit' THEN -7 WHEN 'numeric' THEN 2 WHEN 'money' THEN 3
                 WHEN 'smallmoney' THEN 3 WHEN 'float' THEN 6 WHEN 'real' THEN 7 WHEN 'datetime' THEN 93 WHEN 'smalldatetime' THEN 93 WHEN 'datetime2' THEN 93
                 WHEN 'datetimeoffset' THEN -155 WHEN 'date' THEN 91 WHEN 'time' THEN -154 WHEN 'uniqueidentifier' THEN -11 WHEN 'varbinary' THEN -3 WHEN 'binary' THEN -2
                 WHEN 'timestamp' THEN -2 WHEN 'image' THEN -4 WHEN 'char' THEN 1 WHEN 'varchar' THEN 12 WHEN 'text' THEN -1 WHEN 'nchar' THEN -8 WHEN 'ntext' THEN -10
                 WHEN 'xml' THEN -152 ELSE -9 END)::smallint AS "DATA_TYPE",
           y.name AS "TYPE_NAME",
           (CASE WHEN y.name = 'nvarchar' THEN CASE WHEN c.max_length < 0 THEN 0 ELSE c.max_length / 2 END WHEN y.name IN ('varbinary', 'binary') THEN greatest(c.max_length, 0)
                 WHEN y.name = 'uniqueidentifier' THEN 36 WHEN y.name = 'date' THEN 10 ELSE c.precision END)::int AS "PRECISION",
           greatest(c.max_length, 0)::int AS "LENGTH", c.scale AS "SCALE", (CASE WHEN y.name IN ('bigint', 'int', 'smallint', 'numeric') THEN 10 END)::smallint AS "RADIX",
           (c.is_nullable::int)::smallint AS "NULLABLE", NULL::varchar(254) AS "REMARKS", NULL::varchar(4000) AS "COLUMN_DEF", NULL::smallint AS "SQL_DATA_TYPE",
           NULL::smallint AS "SQL_DATETIME_SUB", (CASE WHEN y.name IN ('nvarchar', 'varbinary', 'binary') THEN greatest(c.max_length, 0) END)::int AS "CHAR_OCTET_LENGTH",
           c.column_id AS "ORDINAL_POSITION", (CASE WHEN c.is_nullable THEN 'YES' ELSE 'NO' END)::varchar(254) AS "IS_NULLABLE",
           0::smallint AS "SS_IS_SPARSE", 0::smallint AS "SS_IS_COLUMN_SET", 0::smallint AS "SS_IS_COMPUTED", (c.is_identity::int)::smallint AS "SS_IS_IDENTITY",
           NULL::varchar(128) AS "SS_UDT_CATALOG_NAME", NULL::varchar(128) AS "SS_UDT_SCHEMA_NAME", NULL::varchar(128) AS "SS_UDT_ASSEMBLY_TYPE_NAME",
           NULL::varchar(128) AS "SS_XML_SCHEMACOLLECTION_CATALOG_NAME", NULL::varchar(128) AS "SS_XML_SCHEMACOLLECTION_SCHEMA_NAME", NULL::varchar(128) AS "SS_XML_SCHEMACOLLECTION_NAME",
           c.system_type_id AS "SS_DATA_TYPE"
      FROM sys.columns c JOIN sys.types y ON y.user_type_id = c.user_type_id JOIN sys.objects o ON o.object_id = c.object_id JOIN sys.schemas s ON s.schema_id = o.schema_id;
GRANT SELECT ON sys.odbc_columns TO PUBLIC;
-- ODBC patterns: NULL means any; a case-insensitive LIKE.
CREATE FUNCTION sys.fits(name text, pattern text) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$ SELECT pattern IS NULL OR pattern = '' OR (name COLLATE "C") ILIKE pattern $$;
CREATE FUNCTION sys.sp_columns_100(table_name text, table_owner text DEFAULT NULL, table_qualifier text DEFAULT NULL, column_name text DEFAULT NULL, odbcver int DEFAULT 3, fusepattern boolean DEFAULT true)
    RETURNS SETOF sys.odbc_columns STABLE LANGUAGE sql AS $$
    SELECT * FROM sys.odbc_columns c WHERE sys.fits(c."TABLE_NAME", $1) AND sys.fits(c."TABLE_OWNER", $2) AND sys.fits(c."COLUMN_NAME", $4) ORDER BY 2, 3, c."ORDINAL_POSITION" $$;
CREATE FUNCTION sys.sp_columns(table_name text, table_owner text DEFAULT NULL, table_qualifier text DEFAULT NULL, column_name text DEFAULT NULL, odbcver int DEFAULT 3)
    RETURNS SETOF sys.odbc_columns STABLE LANGUAGE sql AS 'SELECT * FROM sys.sp_columns_100($1, $2, $3, $4, $5)';
CREATE TYPE sys.odbc_table AS ("TABLE_QUALIFIER" varchar(128), "TABLE_OWNER" varchar(128), "TABLE_NAME" varchar(128), "TABLE_TYPE" varchar(32), "REMARKS" varchar(254));
CREATE FUNCTION sys.sp_tables(table_name text DEFAULT NULL, table_owner text DEFAULT NULL, table_qualifier text DEFAULT NULL, table_type text DEFAULT NULL, fusepattern boolean DEFAULT true)
    RETURNS SETOF sys.odbc_table STABLE LANGUAGE sql AS $$
    SELECT current_database()::varchar, s.name, o.name, CASE o.type WHEN 'V ' THEN 'VIEW' ELSE 'TABLE' END::varchar, NULL::varchar FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id
     WHERE sys.fits(o.name, $1) AND sys.fits(s.name, $2) AND ($4 IS NULL OR $4 = '' OR strpos($4, CASE o.type WHEN 'V ' THEN 'VIEW' ELSE 'TABLE' END) > 0) ORDER BY 4, 2, 3 $$;
CREATE TYPE sys.odbc_key AS ("TABLE_QUALIFIER" varchar(128), "TABLE_OWNER" varchar(128), "TABLE_NAME" varchar(128), "COLUMN_NAME" varchar(128), "KEY_SEQ" smallint, "PK_NAME" varchar(128));
CREATE FUNCTION sys.sp_pkeys(table_name text, table_owner text DEFAULT NULL, table_qualifier text DEFAULT NULL) RETURNS SETOF sys.odbc_key STABLE LANGUAGE sql AS $$
    SELECT current_database()::varchar, s.name, o.name, c.name, k.key_ordinal, i.name FROM sys.indexes i JOIN sys.index_columns k ON k.object_id = i.object_id AND k.index_id = i.index_id
      JOIN sys.columns c ON c.object_id = i.object_id AND c.column_id = k.column_id JOIN sys.objects o ON o.object_id = i.object_id JOIN sys.schemas s ON s.schema_id = o.schema_id
     WHERE i.is_primary_key AND lower(o.name) = lower($1) AND ($2 IS NULL OR lower(s.name) = lower($2)) ORDER BY k.key_ordinal $$;
