-- Procedures that show what is captured. An empty result means: no rights, or nothing captured.
CREATE TYPE sys.change_data_capture AS (
    source_schema varchar(128), source_table varchar(128), capture_instance varchar(128), object_id int, source_object_id int, start_lsn sys."binary"(10), end_lsn sys."binary"(10),
    supports_net_changes boolean, has_drop_pending boolean, role_name varchar(128), index_name varchar(128), filegroup_name varchar(128), create_date sys.datetime,
    index_column_list text, captured_column_list text);
CREATE FUNCTION sys.sp_cdc_help_change_data_capture(source_schema text DEFAULT NULL, source_name text DEFAULT NULL) RETURNS SETOF sys.change_data_capture
    STABLE SECURITY DEFINER LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM sys.require_cdc(false);
    RETURN QUERY SELECT n.nspname::varchar(128), c.relname::varchar(128), t.capture_instance, t.object_id, t.source_object_id, t.start_lsn, t.end_lsn, t.supports_net_changes, t.has_drop_pending,
           t.role_name, t.index_name, t.filegroup_name, t.create_date,
           (SELECT string_agg('[' || column_name || ']', ', ' ORDER BY index_ordinal) FROM cdc.index_columns k WHERE k.object_id = t.object_id),
           (SELECT string_agg('[' || column_name || ']', ', ' ORDER BY column_ordinal) FROM cdc.captured_columns k WHERE k.object_id = t.object_id)
      FROM cdc.change_tables t JOIN pg_class c ON c.oid::int = t.source_object_id JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE sys.may_read(t) AND ($1 IS NULL OR lower(n.nspname) = lower($1)) AND ($2 IS NULL OR lower(c.relname) = lower($2)) ORDER BY 1, 2, 3;
END $$;

CREATE TYPE sys.captured_column AS (
    source_schema varchar(128), source_table varchar(128), capture_instance varchar(128), column_name varchar(128), column_id int, data_type varchar(128), column_ordinal int, is_computed boolean);
CREATE FUNCTION sys.sp_cdc_get_captured_columns(capture_instance text) RETURNS SETOF sys.captured_column STABLE SECURITY DEFINER LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM sys.require_cdc(false);
    RETURN QUERY SELECT n.nspname::varchar(128), c.relname::varchar(128), t.capture_instance, k.column_name, k.column_id, k.column_type, k.column_ordinal, k.is_computed
      FROM cdc.change_tables t JOIN cdc.captured_columns k USING (object_id) JOIN pg_class c ON c.oid::int = t.source_object_id JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE t.capture_instance = $1 AND sys.may_read(t) ORDER BY k.column_ordinal;
END $$;

CREATE TYPE sys.ddl_entry AS (
    source_schema varchar(128), source_table varchar(128), capture_instance varchar(128), required_column_update boolean, ddl_command text, ddl_lsn sys."binary"(10), ddl_time sys.datetime);
CREATE FUNCTION sys.sp_cdc_get_ddl_history(capture_instance text) RETURNS SETOF sys.ddl_entry STABLE SECURITY DEFINER LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM sys.require_cdc(false);
    RETURN QUERY SELECT n.nspname::varchar(128), c.relname::varchar(128), t.capture_instance, h.required_column_update, h.ddl_command, h.ddl_lsn, h.ddl_time
      FROM cdc.change_tables t JOIN cdc.ddl_history h USING (object_id) JOIN pg_class c ON c.oid::int = t.source_object_id JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE t.capture_instance = $1 AND sys.may_read(t) ORDER BY h.ddl_lsn;
END $$;

CREATE TYPE sys.job AS (job_id uuid, job_type varchar(20), job_name varchar(128), maxtrans int, maxscans int, continuous boolean, pollinginterval bigint, retention bigint, threshold bigint);
CREATE FUNCTION sys.sp_cdc_help_jobs() RETURNS SETOF sys.job STABLE SECURITY DEFINER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM sys.require_cdc(true);
    RETURN QUERY SELECT j.job_id, j.job_type, format('cdc.%s_%s', current_database(), j.job_type)::varchar(128), j.maxtrans, j.maxscans, j.continuous, trunc(j.interval_seconds)::bigint, j.retention, j.threshold FROM sys.jobs j;
END $$;
CREATE FUNCTION sys.sp_cdc_change_job(job_type text DEFAULT 'capture', maxtrans int DEFAULT NULL, maxscans int DEFAULT NULL, continuous int DEFAULT NULL, pollinginterval bigint DEFAULT NULL,
                                      retention bigint DEFAULT NULL, threshold bigint DEFAULT NULL) RETURNS void SECURITY DEFINER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM sys.require_cdc(true);
    UPDATE sys.jobs j SET maxtrans = coalesce($2, j.maxtrans), maxscans = coalesce($3, j.maxscans), continuous = coalesce($4 <> 0, j.continuous),
        interval_seconds = coalesce($5, j.interval_seconds), retention = coalesce($6, j.retention), threshold = coalesce($7, j.threshold), changed = true WHERE j.job_type = lower($1);
END $$;
